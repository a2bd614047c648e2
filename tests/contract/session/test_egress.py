"""A session whose calls may go out, against Claude's double and a server over HTTPS."""

import datetime as dt
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from msgspec.structs import replace

from agent.sandbox.egress.authority import issue
from agent.settings import Credential, Egress
from local.process import Process
from wire.types import EventKind, Exit

from .test_process import Folder, until

pytestmark = pytest.mark.root
HOST, TOKEN = "api.example.com", "canary-token-0123456789"


class Echo(BaseHTTPRequestHandler):
    """Gives back the credential that it got, as a careless server does."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = f"{self.path} {self.headers['Authorization']}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def place(tmp_path):
    vendor = issue([HOST], dt.datetime.now(dt.UTC))
    (tmp_path / "ca.pem").write_text(vendor.authority)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    server.socket = vendor.context().wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"{HOST}:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def folder(tmp_path, claude, place):
    """A session that finds the host's name in a table of its own."""
    made = Folder(tmp_path, claude.url)
    (tmp_path / "hosts").write_text(f"127.0.0.1 localhost {HOST}\n")
    made.hosts = tmp_path / "hosts"
    (made.credentials / "egress_secrets").write_text(f"team = {TOKEN}\n")
    credentials = {"team": Credential(at=f"{place}/team", secret="team")}
    egress = Egress(private=("127.0.0.1/32",), trust=str(tmp_path / "ca.pem"), credentials=credentials)
    made.settings = replace(made.settings, egress=egress)
    made.claim()
    return made


def everything(folder):
    return b"".join(path.read_bytes() for root in (folder.path, folder.workspace) for path in root.rglob("*")
                    if path.is_file())  # fmt: skip


def test_it_works_with_a_credential_that_it_never_sees_and_reads_what_was_refused(folder, claude, place):
    commands = [f"curl -sS https://{place}/team/x", "curl -sS https://evil.example/", "env"]
    calls = [[claude.use("bash", n, command=command)] for n, command in enumerate(commands)]
    claude.plays = [*calls, [claude.use("finish", 9, result="done")]]
    assert folder.run() == Exit.FINISHED, folder.said
    asked, refused, _, _ = [event.data for event in folder.events(EventKind.TOOL_RESULT)]
    assert asked["content"].startswith(f"/team/x Bearer {'*' * len(TOKEN)}")
    assert asked["connections"][0]["to"] == place
    assert 'would be "evil.example"' in refused["content"]
    assert refused["connections"][0]["refused"][0]["allow"] == "evil.example"
    assert TOKEN.encode() not in everything(folder)
    assert TOKEN not in json.dumps(claude.requests) + folder.said
    assert f"nothing else: {place}/team." in claude.requests[0]["system"]


def test_a_host_that_lacks_the_secret_costs_no_task(folder, claude):
    (folder.credentials / "egress_secrets").unlink()
    claude.plays = [[claude.use("bash", 1, command="true")]]
    assert folder.run() == Exit.UNAVAILABLE
    assert folder.last.data["host_wide"]
    assert "fab secrets" in folder.last.data["reason"]


def test_a_killed_session_takes_its_proxy_along(folder, claude):
    claude.plays = [[claude.use("bash", 1, command="sleep 60")]]
    session = folder.start()

    def proxies():
        children = Path(f"/proc/{session.pid}/task/{session.pid}/children").read_text().split()
        return [pid for pid in children if b"agent.sandbox.egress" in Path(f"/proc/{pid}/cmdline").read_bytes()]

    until(proxies)
    (proxy,) = proxies()
    session.kill()
    session.communicate()
    until(lambda: Process.find(int(proxy)) is None)
