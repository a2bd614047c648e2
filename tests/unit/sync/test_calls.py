"""One call to Google after the other: what a connection that ends, an answer that breaks off and a forged host mean."""

import gzip
import socket
import ssl
import threading
import tracemalloc
from contextlib import contextmanager, suppress

import pytest

from doubles.git.identity import identity
from sync.calls import ANSWER_BYTES, NoAnswer, Origin

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Host:
    """A host that gives its answers one by one, each connection as many as it is told."""

    def __init__(self, connections):
        self._connections, self.asked, self.heads = connections, [], []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._listening.settimeout(60)  # a test that fails ends
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}/v4"
        self.ended = threading.Semaphore(0)
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self):
        for number, answers in enumerate(self._connections):
            connection, _ = self._listening.accept()
            with connection, connection.makefile("rb") as sent:
                for answer in answers:
                    self.asked.append((number, self._request(sent)))
                    with suppress(OSError):  # of one that is too large the rest is not taken
                        connection.sendall(answer)
            self.ended.release()

    def _request(self, sent):
        head = b"".join(iter(sent.readline, b"\r\n")).decode().lower()
        length = next((int(line.split(":")[1]) for line in head.splitlines() if line.startswith("content-length")), 0)
        self.heads.append(head)
        return head.split(" http/")[0], sent.read(length)

    def close(self):
        self._thread.join()
        self._listening.close()


@contextmanager
def host(*connections):
    host = Host(connections)
    origin = Origin(host.url)
    try:
        yield host, origin
    finally:
        origin.close()
        host.close()


def test_calls_go_over_one_connection():
    with host([OK, OK]) as (there, origin):
        assert origin.ask("POST", "/v4/a", {}, b"{}") == (200, b"ok")
        assert origin.ask("GET", "/v4/b", {}, None) == (200, b"ok")
    assert there.asked == [(0, ("post /v4/a", b"{}")), (0, ("get /v4/b", b""))]


def test_a_connection_that_the_host_ended_meanwhile_costs_no_write_its_answer():
    with host([OK], [OK]) as (there, origin):
        origin.ask("GET", "/v4/a", {}, None)
        there.ended.acquire()
        assert origin.ask("POST", "/v4/b", {}, b"{}") == (200, b"ok")
    assert [number for number, _ in there.asked] == [0, 1]


@pytest.mark.parametrize("broken", [b"", OK[:-1], b"SSH-2.0-OpenSSH\r\n"], ids=["none", "cut", "another's"])
def test_an_answer_that_is_not_whole_is_none_and_the_next_call_has_a_new_connection(broken):
    with host([broken], [OK]) as (there, origin):
        with pytest.raises(NoAnswer, match=r"127\.0\.0\.1: "):
            origin.ask("POST", "/v4/a", {}, b"{}")
        assert origin.ask("GET", "/v4/b", {}, None) == (200, b"ok")
    assert len(there.asked) == 2  # what may have been done is not asked again


def packed(data):
    return b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s" % (len(data), data)


def test_an_answer_is_asked_for_and_taken_packed():
    whole = gzip.compress(b"ok" * 1000)
    with host([packed(whole)]) as (there, origin):
        assert origin.ask("GET", "/v4", {"Authorization": "Bearer t"}, None) == (200, b"ok" * 1000)
    (head,) = there.heads
    assert "accept-encoding: gzip\r\n" in head
    assert "user-agent: jada (gzip)\r\n" in head


def test_a_packed_answer_that_is_not_whole_is_none():
    with host([packed(gzip.compress(b"ok" * 1000)[:-9])]) as (_, origin), pytest.raises(NoAnswer):
        origin.ask("GET", "/v4", {}, None)


@pytest.mark.parametrize("is_packed", [False, True])
def test_an_answer_that_is_too_large_is_none_and_not_held_however_little_was_sent(is_packed):
    huge = b" " * (3 * ANSWER_BYTES)
    plain = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(huge)
    answer = packed(gzip.compress(huge, 1)) if is_packed else plain + huge[: ANSWER_BYTES + 2**18]
    del huge
    with host([answer], [OK]) as (_, origin):
        tracemalloc.start()
        try:
            with pytest.raises(NoAnswer, match=f"larger than {ANSWER_BYTES // 2**20} MB"):
                origin.ask("GET", "/v4", {}, None)
            assert tracemalloc.get_traced_memory()[1] < 1.5 * ANSWER_BYTES
        finally:
            tracemalloc.stop()
        assert origin.ask("GET", "/v4", {}, None) == (200, b"ok")


def test_an_answer_in_chunks_is_read_whole():
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    with host([chunked, chunked[:-12]]) as (_, origin):
        assert origin.ask("GET", "/v4", {}, None) == (200, b"abcde")
        with pytest.raises(NoAnswer):
            origin.ask("GET", "/v4", {}, None)


def test_an_answer_that_leads_elsewhere_is_given_as_it_is():
    moved = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n"
    with host([moved]) as (_, origin):
        assert origin.ask("GET", "/v4", {"Authorization": "Bearer t"}, None) == (302, b"")


@pytest.mark.parametrize("url", ["http://127.0.0.1:port/v4", f"http://{'a' * 70}.example/v4", "http://127.0.0.1:9"])
def test_an_address_that_leads_nowhere_gives_no_answer(url):
    with pytest.raises(NoAnswer):
        Origin(url).ask("GET", "/", {}, None)


def test_a_host_whose_certificate_no_authority_of_ours_signed_is_told_nothing(tmp_path):
    _, certificate = identity("localhost")
    (tmp_path / "certificate.pem").write_bytes(certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "certificate.pem")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        told = []

        def serve():
            connection, _ = listening.accept()
            with connection:
                try:
                    with context.wrap_socket(connection, server_side=True) as safe:
                        told.append(safe.recv(1000))
                except OSError:
                    told.append(b"")

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(NoAnswer, match="CERTIFICATE_VERIFY_FAILED"):
            Origin(f"https://localhost:{listening.getsockname()[1]}").ask("POST", "/", {"Authorization": "t"}, b"{}")
        thread.join()
    assert told == [b""]
