"""A plugin of Pulumi's engine: a gRPC server that tells its port on stdout and goes when the engine goes."""

import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import grpc  # type: ignore[import-untyped] # ships no types

LOCAL = "local"
"""The one stack that these plugins serve."""
# The engine's own limit for one message.
LARGEST_MESSAGE = 400 * 1024 * 1024
PARENT_CHECK_S = 1


class WrongStack(Exception):
    """A stack that isn't this machine's; the message says what to do."""

    def __init__(self, plugin: str, stack: str) -> None:
        super().__init__(
            f"{plugin} of the local cloud serves only stack 'local', and this is {stack!r}: nothing was done; "
            "run it in a shell without local/pulumi/bin on PATH"
        )


def require_local_stack(plugin: str, urn: str) -> None:
    """Raise `WrongStack` unless a resource's URN (`urn:pulumi:STACK::PROJECT::TYPE::NAME`) is of stack local."""
    stack = urn.removeprefix("urn:pulumi:").partition("::")[0]
    if stack != LOCAL:
        raise WrongStack(plugin, stack)


def serve(register: Callable[[grpc.Server], None]) -> None:
    """Serve on a free loopback port until SIGINT, or until the engine that started this process is gone."""
    options = [("grpc.max_receive_message_length", LARGEST_MESSAGE), ("grpc.max_send_message_length", LARGEST_MESSAGE)]
    server = grpc.server(ThreadPoolExecutor(max_workers=16), options=options)
    register(server)
    engine = os.getppid()
    try:
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        sys.stdout.write(f"{port}\n")
        sys.stdout.flush()
        # A killed engine closes nothing: without a look at the parent its plugins would stay for ever.
        while server.wait_for_termination(PARENT_CHECK_S) and os.getppid() == engine:
            pass
    except KeyboardInterrupt:
        pass  # the engine ends its plugins so; a traceback would stand in its output
    finally:
        server.stop(grace=None)
