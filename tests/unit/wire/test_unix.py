"""Calls over a Unix socket, against one that answers as it is told."""

import socket
import threading

import pytest

from wire.exchange import NoAnswer, pause_s
from wire.unix import OverUnix

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
BUSY = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy"
LAST = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\n\r\nlast"
CHUNKED = b"HTTP/1.1 200 OK\r\nX-Kind: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n"
CUT = b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nok"


class Listener:
    """Answers each connection's requests with its pieces, one each, then closes it; keeps what was asked."""

    def __init__(self, path, *connections):
        self.path, self.asked, self.closed = str(path), [], threading.Semaphore(0)
        self._connections = connections
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self.path)
        self._listener.listen()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        for answers in self._connections:
            connection, _ = self._listener.accept()
            with connection:
                for answer in answers:
                    self.asked.append(connection.recv(1 << 20))
                    connection.sendall(answer)
            self.closed.release()
        self._listener.close()

    def ended(self):
        self._thread.join(60)
        return self.asked


@pytest.fixture
def listen(tmp_path):
    return lambda *connections: Listener(tmp_path / "s", *connections)


def get(way):
    return way.request("GET", "/x", None, {"Accept": "*/*"})


def test_a_request_is_one_piece_and_an_answer_in_chunks_is_whole(listen):
    there = listen([CHUNKED])
    answer = OverUnix(there.path, 60, 0).request("POST", "/x?a=1", b"{}", {"A": "b"})
    assert (answer.status, answer.headers["x-kind"], answer.data) == (200, "a", b"abcde")
    assert there.ended() == [b"POST /x?a=1 HTTP/1.1\r\nHost: localhost\r\nA: b\r\nContent-Length: 2\r\n\r\n{}"]


def test_a_connection_that_ended_meanwhile_is_not_used_again(listen):
    there = listen([OK], [OK, OK])
    way = OverUnix(there.path, 60, 0)
    assert get(way).data == b"ok"
    assert there.closed.acquire(timeout=60)
    assert [get(way).data for _ in range(2)] == [b"ok", b"ok"]
    assert len(there.ended()) == 3


def test_a_connection_that_its_answer_ends_is_not_used_again(listen):
    there = listen([LAST], [OK])
    way = OverUnix(there.path, 60, 0)
    assert [get(way).data for _ in range(2)] == [b"last", b"ok"]


def test_a_refusal_that_passes_is_tried_once_more(listen):
    there = listen([BUSY, OK])
    assert get(OverUnix(there.path, 60, 1)).data == b"ok"
    assert len(there.ended()) == 2


@pytest.mark.parametrize("bad", [CUT, b"", b"odd", OK + OK])
def test_what_fails_is_tried_once_more_and_then_told(listen, bad):
    there = listen([bad], [OK])
    assert get(OverUnix(there.path, 60, 1)).data == b"ok"
    assert len(there.ended()) == 2


@pytest.mark.parametrize(
    ("bad", "said"), [(CUT, "before the answer was whole"), (b"", "before the answer was whole"), (b"odd", "HTTP")]
)
def test_what_is_no_answer_says_why(listen, bad, said):
    there = listen([bad])
    with pytest.raises(NoAnswer, match=said):
        get(OverUnix(there.path, 60, 0))


def test_the_last_answer_is_given_whatever_it_is(listen):
    there = listen([BUSY, BUSY])
    assert get(OverUnix(there.path, 60, 1)).data == b"busy"
    assert len(there.ended()) == 2


def test_a_body_that_is_refused_unread_has_its_answer(tmp_path):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen()

        def refuse():
            connection, _ = listener.accept()
            connection.recv(10)
            connection.sendall(LAST)
            connection.shutdown(socket.SHUT_RD)
            connection.close()

        refusing = threading.Thread(target=refuse)
        refusing.start()
        answer = OverUnix(str(tmp_path / "s"), 60, 0).request("POST", "/x", b"x" * 5_000_000, {})
        refusing.join()
    assert answer.data == b"last"


@pytest.mark.parametrize(("target", "value"), [("/x y", "v"), ("/x\r\nB: c", "v"), ("/x", "v\r\nB: c"), ("/x", "\0")])
def test_what_would_be_another_request_is_none(tmp_path, target, value):
    with pytest.raises(ValueError, match="no control characters"):
        OverUnix(str(tmp_path / "s"), 60, 0).request("GET", target, None, {"A": value})


def test_pauses_grow_from_the_second_try_made_again():
    assert [pause_s(failed) for failed in range(1, 5)] == [0, 0.4, 0.8, 1.6]
