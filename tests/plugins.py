"""The local cloud's two plugins of Pulumi's engine, in one process that serves many of its operations.

An engine starts both anew for each operation: most of what that takes is their imports. It can also be told where they
run already, as plugins are debugged.
"""
# ruff: noqa: N802 - the methods have gRPC's names

import subprocess
import sys
from pathlib import Path

from pulumi.runtime.proto import language_pb2_grpc, provider_pb2_grpc

from local.pulumi import plugin, replies
from local.pulumi.language_host import LanguageHost
from local.pulumi.provider import Provider

ROOT = Path(__file__).parents[1]


class Plugins:
    """The process of both; it goes with this one."""

    def __init__(self):
        self._process = subprocess.Popen([sys.executable, "-m", "tests.plugins"], cwd=ROOT, stdout=subprocess.PIPE)
        port = int(self._process.stdout.readline())
        self.env = {"PULUMI_DEBUG_LANGUAGES": f"python:{port}", "PULUMI_DEBUG_PROVIDERS": f"aws:{port}"}

    def close(self):
        self._process.terminate()
        self._process.communicate()


class AttachedHost(LanguageHost):
    """Hears from each engine where that one is; one that starts it says so on the command line."""

    def __init__(self):
        super().__init__("")

    def Handshake(self, request, context):
        self._engine_address = request.engine_address
        return super().Handshake(request, context)


class AttachedProvider(Provider):
    def Attach(self, _request, _context):
        return replies.EMPTY


def register(server):
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(AttachedHost(), server)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(AttachedProvider(), server)


if __name__ == "__main__":
    plugin.serve(register)
