"""A receiver of the tests' own: a plain HTTP server that keeps what it gets and answers as it is set to."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from wire.secret import Secret


class Receiver:
    """What came, in order; `status` is its answer, and `drips` sends that a byte at a time, without an end, from its
    head on or from its `body`.
    """

    def __init__(self):
        self.got, self.status, self.drips = [], 200, False
        self.asked, self.release = threading.Event(), threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"] or 0))
                receiver.got.append((self.path, dict(self.headers), json.loads(body) if body[:1] == b"{" else body))
                receiver.asked.set()
                if receiver.drips:
                    begin = b"\r\n" if receiver.drips == "body" else b"X-Slow: "
                    self.wfile.write(b"HTTP/1.1 200 OK\r\n" + begin)
                    while not receiver.release.wait(0.2):
                        self.wfile.write(b"x")
                self.send_response(receiver.status)
                self.end_headers()

            def log_message(self, *_words):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self):
        return Secret(f"json://user:pass-word@127.0.0.1:{self.server.server_port}/hook")

    def close(self):
        self.release.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def receiver():
    made = Receiver()
    yield made
    made.close()
