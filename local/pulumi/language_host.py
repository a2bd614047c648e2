"""Pulumi's host for Python programs, for machines that lack the official one: a Go module that no proxy serves.

The engine starts `pulumi-language-python ENGINE_ADDRESS` and asks it to run the program of the stack. Pulumi's own
automation package serves the same calls for programs in its own process; this hands it one read from a folder.
"""
# ruff: noqa: N802 - the methods have gRPC's names

import os
import runpy
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pulumi.automation._server import LanguageServer
from pulumi.runtime.proto import language_pb2, language_pb2_grpc
from pulumi.runtime.settings import SETTINGS

from local.pulumi.plugin import LOCAL, WrongStack, serve

EXECUTABLE = "pulumi-language-python"
SHIMS = Path(__file__).parent / "bin"


class LanguageHost(LanguageServer):
    """Runs the program in the folder that the engine names, as the official host does: `__main__.py` by runpy."""

    def __init__(self, engine_address: str) -> None:
        super().__init__(_nothing)
        self._engine_address = engine_address

    def Handshake(self, _request: Any, _context: Any) -> language_pb2.LanguageHandshakeResponse:
        """Agree to work with this engine."""
        return language_pb2.LanguageHandshakeResponse()

    def Run(self, request: Any, context: Any) -> language_pb2.RunResponse:
        """Run the program, or refuse a stack that isn't local before a line of it runs."""
        if request.stack != LOCAL:
            return language_pb2.RunResponse(error=str(WrongStack(EXECUTABLE, request.stack)))
        self.program = lambda: _run(request.info)
        request.args[:] = [self._engine_address]
        response: language_pb2.RunResponse = super().Run(request, context)  # type: ignore[no-untyped-call] # has no types
        if response.error:
            # It was logged already: as an `error` the engine would show it a second time, as "unhandled".
            return language_pb2.RunResponse(bail=True)
        return response


def official(path: str) -> str | None:
    """Return the official host, if any folder of `path` has one; a shim of this or another checkout is none."""
    elsewhere = [folder for folder in path.split(os.pathsep) if folder and not _is_of_a_checkout(Path(folder))]
    return shutil.which(EXECUTABLE, path=os.pathsep.join(elsewhere))


def _is_of_a_checkout(folder: Path) -> bool:
    # Two checkouts' shims, each taking the other for the official one, would start each other for ever.
    return (folder.resolve().parent / Path(__file__).name).exists()


def main(arguments: Sequence[str]) -> None:
    """Start the official host in place of this one, or serve; the engine's address is the last argument."""
    if host := official(os.environ.get("PATH", "")):
        os.execv(host, [host, *arguments])  # noqa: S606 - the engine's own arguments, no shell
    language_host = LanguageHost(arguments[-1])
    serve(lambda server: language_pb2_grpc.add_LanguageRuntimeServicer_to_server(language_host, server))


def _nothing() -> None:
    """Stand in for a program until the engine names one."""


def _run(info: language_pb2.ProgramInfo) -> None:
    # The official host tells a program where its project is; Pulumi's automation, whose programs have none, does not.
    SETTINGS.root_directory = info.root_directory
    runpy.run_path(info.program_directory, run_name="__main__")


if __name__ == "__main__":
    main(sys.argv[1:])
