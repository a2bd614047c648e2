"""Git's own server behind HTTPS and a token: CGI (RFC 3875), one process a request."""

import base64
import os
import ssl
import subprocess
import tempfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import IO, Any

from doubles.git.identity import identity

CHUNK = 64 * 1024


class Server(ThreadingHTTPServer):
    """Serves the repositories of a folder as `https://HOST:PORT/NAME.git` to those who have the token."""

    daemon_threads = True

    def __init__(self, folder: Path, host: str, token: str, address: tuple[str, int]) -> None:
        super().__init__(address, _Handler)
        self.folder = folder
        self.token = token
        self.requests: list[tuple[str, str, bool]] = []
        """Method, path and whether the token was there, of each request."""
        self.authority, certificate = identity(host)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.NamedTemporaryFile() as file:
            file.write(certificate)
            file.flush()
            context.load_cert_chain(file.name)
        # The handshake in the thread of its connection: a client that says nothing must not hold up the others.
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def handle_error(self, *_: Any) -> None:
        """Say nothing of clients that leave: to refuse an unknown authority is what some are tested for."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def log_message(self, *_: Any) -> None:
        """Keep quiet: `requests` has it all."""

    def _answer(self) -> None:
        given = self.headers.get("Authorization", "")
        allowed = _password(given) == self.server.token
        self.server.requests.append((self.command, self.path, allowed))
        with tempfile.TemporaryFile() as body:
            self._read(body)
            body.seek(0)
            if allowed:
                self._run(body)
            else:
                self._refuse()

    def _read(self, body: IO[bytes]) -> None:
        if self.headers.get("Transfer-Encoding") == "chunked":
            while size := int(self.rfile.readline(), 16):
                body.write(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
        else:
            body.write(self.rfile.read(int(self.headers.get("Content-Length") or 0)))

    def _refuse(self) -> None:
        self.send_response(401)
        self.send_header("WWW-Authenticate", 'Basic realm="git"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _run(self, body: IO[bytes]) -> None:
        path, _, query = self.path.partition("?")
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self.server.folder),
            "GIT_HTTP_EXPORT_ALL": "1",
            # The repositories may be another user's: it is the server's administrator who put them there.
            "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*",
            "REQUEST_METHOD": self.command,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REMOTE_USER": "token",
            "REMOTE_ADDR": self.client_address[0],
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
        }  # fmt: skip
        command = ["git", "http-backend"]
        with subprocess.Popen(command, env=environment, stdin=body, stdout=subprocess.PIPE) as backend:
            assert backend.stdout is not None  # noqa: S101 - it is a pipe
            self._pass_on(backend.stdout)

    def _pass_on(self, out: IO[bytes]) -> None:
        status, headers = 200, []
        while line := out.readline().strip():
            name, _, value = line.decode("latin-1").partition(":")
            if name.lower() == "status":
                status = int(value.split()[0])
            else:
                headers.append((name, value.strip()))
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        # The length is known to git only at its end.
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        while piece := out.read(CHUNK):
            self.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        self.wfile.write(b"0\r\n\r\n")


def _password(header: str) -> str:
    scheme, _, value = header.partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(value).decode().partition(":")[2]
    except ValueError:
        return ""
