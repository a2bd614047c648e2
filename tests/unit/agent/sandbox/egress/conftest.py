"""A server outside over HTTPS, the proxy before it, and a client that trusts the proxy as a sandbox does."""

import datetime as dt
import http.client
import ipaddress
import socket
import ssl
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from agent.sandbox.egress.__main__ import Admitted
from agent.sandbox.egress.authority import issue
from agent.sandbox.egress.exchange import Outside
from agent.sandbox.egress.rules import Place, Rule, Rules

HOST, TOKEN = "api.example.com", "canary-token-0123456789"


class Server:
    """Answers what `answer` says, a function of the handler and the body; keeps what came."""

    def __init__(self, identity):
        self.seen = []
        self.answer = lambda handler, body: (200, {}, b"hello")
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self):
                body = self.body()
                headers = {name.lower(): value for name, value in self.headers.items()}
                outer.seen.append((self.command, self.path, headers, body))
                status, headers, content = outer.answer(self, body)
                self.send_response_only(status)
                for name, value in ({} if content is None else {"Content-Length": str(len(content))} | headers).items():
                    self.send_header(name, value)
                if content is not None:
                    self.end_headers()
                    self.wfile.write(content)

            do_GET = do_POST = do_HEAD = do_PUT = do_PROPFIND = handle_any  # noqa: N815 - http.server's names

            def body(self):
                if self.headers.get("Transfer-Encoding") != "chunked":
                    return self.rfile.read(int(self.headers.get("Content-Length", 0)))
                whole = b""
                while size := int(self.rfile.readline(), 16):
                    whole += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
                return whole

            def log_message(self, *_):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.http.handle_error = lambda *_: None
        self.http.socket = identity.context().wrap_socket(self.http.socket, server_side=True)
        self.port = self.http.server_address[1]
        threading.Thread(target=self.http.serve_forever, args=(0.02,), daemon=True).start()


class Proxy:
    """The proxy's side of one call, as a sandbox reaches it."""

    def __init__(self, outside, port):
        self.outside = outside
        self.port = port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address = self._listening.getsockname()
        self.admitted = None

    def open(self, megabytes=10, **changes):
        self.admitted = Admitted(self._listening, replace(self.outside, **changes), megabytes << 20)
        return self

    def client(self, host=None, timeout=120):
        """A connection through the tunnel, TLS included."""
        trust = ssl.create_default_context(cadata=self.outside.identity.authority)
        client = http.client.HTTPSConnection(*self.address, context=trust, timeout=timeout)
        client.set_tunnel(host or HOST, self.port)
        return client

    def ask(self, method="GET", path="/", body=None, headers=None, host=None):
        client = self.client(host)
        client.request(method, path, body, headers or {}, encode_chunked="Transfer-Encoding" in (headers or {}))
        answer = client.getresponse()
        return answer.status, answer.read(), answer

    def told(self):
        told, self.admitted = self.admitted.close(), None
        return told

    def refused(self):
        return [refused for one in self.told() for refused in one["refused"]]


@pytest.fixture
def vendor():
    return issue([HOST], dt.datetime.now(dt.UTC))


@pytest.fixture
def served(vendor):
    made = Server(vendor)
    yield made
    made.http.shutdown()
    made.http.server_close()


@pytest.fixture
def proxy(vendor, served):
    def rule(place, **more):
        return Rule(Place.read(f"{HOST}:{served.port}{place}"), **more)

    bearer = (b"authorization", b"Bearer " + TOKEN.encode())
    rules = Rules(
        (
            rule(""),
            rule("/team", methods=frozenset({"GET", "POST"}), header=bearer),
            rule("/team/site.git", header=bearer, git=True),
        ),
        (ipaddress.ip_network("127.0.0.1/32"),),
    )
    trust = ssl.create_default_context(cadata=vendor.authority)
    signs = issue([HOST], dt.datetime.now(dt.UTC))
    made = Proxy(Outside(rules, signs, trust, (TOKEN.encode(),), lambda *_: ["127.0.0.1"]), served.port)
    yield made
    if made.admitted:
        made.admitted.close()
