"""The consent's answer is taken once, by its state, whatever else comes to the port."""

import io
import os
import socket
import threading

import pytest
import urllib3

from sync.loopback import InputEnded, Silent, listening

HTTP = urllib3.PoolManager(retries=False)


@pytest.fixture
def loopback():
    with listening(0) as loopback:
        yield loopback


def waiting(loopback, timeout_s=60):
    """What a wait for state `s` comes to, in a thread of its own."""
    found = []
    loopback.expect("s")
    thread = threading.Thread(target=lambda: found.append(loopback.wait(timeout_s)))
    thread.start()
    return thread, found


def get(loopback, path):
    return HTTP.request("GET", f"http://127.0.0.1:{loopback.port}{path}").status


def test_only_the_answer_with_our_state_counts_and_only_once(loopback):
    thread, found = waiting(loopback)
    assert [get(loopback, path) for path in ("/favicon.ico", "/?state=x&code=1", "/?code=1", "/x?state=s")] == [404] * 4
    assert get(loopback, "/?state=s&code=c") == 200
    thread.join()
    assert found == [{"state": "s", "code": "c"}]
    assert get(loopback, "/?state=s&code=d") == 404


def test_an_answer_that_comes_before_it_is_waited_for_counts(loopback):
    loopback.expect("s")
    assert get(loopback, "/?state=s&code=c") == 200
    assert loopback.wait(60)["code"] == "c"


@pytest.mark.process
def test_the_answer_counts_when_its_page_was_sent():
    """Who waits for it may end at once: the browser has its page all the same."""
    for _ in range(50):
        port, told = os.pipe()
        program = os.fork()
        if not program:
            wait_and_end(told)
        with socket.create_connection(("127.0.0.1", int(os.read(port, 10))), timeout=60) as browser:
            browser.sendall(b"GET /?state=s&code=c HTTP/1.0\r\n\r\n")
            page = browser.makefile("rb").read()
        os.close(port)
        os.close(told)
        assert os.waitpid(program, 0)[1] == 0
        assert b"you may close this page" in page


def wait_and_end(told):
    """What a program does that has nothing left to do: its other threads end with it."""
    try:
        with listening(0) as loopback:
            loopback.expect("s")
            os.write(told, str(loopback.port).encode())
            loopback.wait(60)
            os._exit(0)
    finally:
        os._exit(1)


def test_a_connection_that_says_nothing_holds_up_no_other(loopback):
    thread, found = waiting(loopback)
    with socket.create_connection(("127.0.0.1", loopback.port)), socket.create_connection(("127.0.0.1", loopback.port)):
        assert get(loopback, "/?state=s&code=c") == 200
        thread.join()
    assert found[0]["code"] == "c"


def test_the_port_is_free_again_at_once(loopback):
    with listening(0) as first:
        port = first.port
        thread, _ = waiting(first)
        # The server closes first, which would leave the port in TIME_WAIT.
        assert get(first, "/?state=s&code=c") == 200
        thread.join()
    with listening(port) as second:
        assert second.port == port


def test_two_do_not_share_a_port(loopback):
    with pytest.raises(OSError, match="in use"), listening(loopback.port):
        pass


def test_no_answer_in_time_is_silence(loopback):
    with pytest.raises(Silent):
        loopback.wait(0)


def test_the_wait_ends_with_whoever_started_it(loopback):
    loopback.end_with(io.StringIO(""))
    with pytest.raises(InputEnded):
        loopback.wait(60)


def test_the_address_is_the_loopback_s_number_and_not_its_name(loopback):
    assert loopback.redirect_uri == f"http://127.0.0.1:{loopback.port}/"
