import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from provision.errors import CommandError
from provision.reach import address


@pytest.mark.parametrize(
    ("text", "public", "said"),
    [
        ("somewhere", False, "is no address"),
        ("2001:db8::1", False, "over IPv4"),
        ("10.0.0.7", True, "that AWS can see"),
        ("127.0.0.1", True, "that AWS can see"),
        ("203.0.113.9/24", False, "is no address"),
    ],
)
def test_what_a_firewall_could_not_let_in_is_refused(text, public, said):
    with pytest.raises(CommandError, match=said):
        address.given(text, public=public)


def test_an_address_is_taken_as_it_was_given():
    assert address.given(" 8.8.4.4\n", public=True) == "8.8.4.4"


def test_a_real_stack_without_a_service_asks_for_the_address():
    with pytest.raises(CommandError, match="not known") as refused:
        address.own("192.0.2.7", "", local=False)
    assert "--door ADDRESS" in refused.value.cure


def test_towards_this_machine_itself_it_is_the_loopback():
    assert address.own("127.0.0.1", "", local=True) == "127.0.0.1"


@pytest.fixture
def service():
    """A service of this machine that answers with what the test says."""

    class Echo(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(server.status)
            self.send_header("Location", "http://127.0.0.1:9/")
            self.end_headers()
            self.wfile.write(server.answer)

        def log_message(self, *_words):
            pass

    server = HTTPServer(("127.0.0.1", 0), Echo)
    server.status, server.answer = 200, b"8.8.4.4\n"
    threading.Thread(target=server.serve_forever).start()
    yield server
    server.shutdown()
    server.server_close()


def url(server):
    return f"http://127.0.0.1:{server.server_port}"


@pytest.mark.process
def test_the_services_answer_is_this_machines_address(service):
    assert address.own("192.0.2.7", url(service), local=False) == "8.8.4.4"


@pytest.mark.process
@pytest.mark.parametrize(
    ("status", "answer"),
    [(500, b"8.8.4.4"), (302, b""), (200, b"<html>log in</html>"), (200, b"x" * 500), (200, b"10.0.0.7")],
)
def test_an_answer_that_is_no_address_lets_nothing_in(service, status, answer):
    service.status, service.answer = status, answer
    with pytest.raises(CommandError):
        address.own("192.0.2.7", url(service), local=False)


@pytest.mark.process
def test_a_service_that_is_silent_is_named():
    with pytest.raises(CommandError, match=r"http://127.0.0.1:9 does not say"):
        address.seen_by("http://127.0.0.1:9")
