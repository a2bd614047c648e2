"""A tunnel that does not open: what is said is what was seen. And one that is open, and told to end."""

import os
import socket
import subprocess
import sys

import pytest

from provision.errors import CommandError
from provision.reach.keyfiles import KeyFiles, ended_by_signals
from provision.reach.tunnel import Tunnel, opened, unopened


def test_a_host_that_answers_is_slow_and_no_firewall_is_blamed():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        error = unopened("127.0.0.1", port, 15)
    assert error.cause == f"the tunnel did not open within 15 s, though 127.0.0.1 answers on port {port}"
    assert "firewall" not in error.cure


def test_a_host_that_does_not_answer_may_be_behind_its_firewall():
    # Bound and not listening: refused, and taken by no other program meanwhile.
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        error = unopened("127.0.0.1", port, 15)
    assert error.cause.startswith("the tunnel did not open within 15 s, and 127.0.0.1 does not answer on port")
    assert "firewall" in error.cure


def told_to_end(process):
    with ended_by_signals():
        process.stdin.close()  # not before: until here SIGTERM would end this process
        Tunnel("unix:none", process).wait()


@pytest.mark.process
def test_a_signal_that_does_not_interrupt_the_wait_ends_it_all_the_same(uninterrupted):
    # The moment is the program's own; where this thread does not wait yet, the signal is heard before.
    command = ["sh", "-c", "read go; sleep 0.2; kill -TERM $PPID; exec sleep 20"]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        try:
            with pytest.raises(SystemExit):
                told_to_end(process)
            assert process.poll() is None, "it was heard when the wait was over"
        finally:
            process.kill()


LISTENS = """
at = sys.argv[sys.argv.index("-L") + 1].partition(":")[0]
listener = socket.socket(socket.AF_UNIX)
listener.bind(at)
listener.listen()
"""


@pytest.fixture
def tunnel(tmp_path, monkeypatch):
    """`tunnel(body, **options)`: a tunnel by an `ssh` that is a program of Python's, with this body."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")

    def open_one(body, **options):
        program = tmp_path / "bin" / "ssh"
        program.write_text(f"#!{sys.executable} -IS\nimport socket, sys, time\n{body}")
        program.chmod(0o700)
        return opened(KeyFiles(tmp_path, "box", "127.0.0.1", 1), "/run/queue.sock", timeout_s=60, **options)

    return open_one


@pytest.mark.process
def test_a_tunnel_that_does_not_open_says_what_ssh_said_and_leaves_a_file_that_is_there(tunnel, tmp_path):
    (tmp_path / "notes").write_text("mine")
    with (
        pytest.raises(CommandError, match="the tunnel did not open: no route"),
        tunnel("sys.exit('no route')", at=tmp_path / "notes"),
    ):
        pass
    assert (tmp_path / "notes").read_text() == "mine"


@pytest.mark.process
def test_what_a_tunnel_that_was_killed_left_is_no_obstacle_and_nothing_is_left_behind(tunnel, tmp_path):
    place = tmp_path / "queue.sock"
    with socket.socket(socket.AF_UNIX) as killed:
        killed.bind(str(place))
    with tunnel(LISTENS + "time.sleep(60)", at=place) as opened:
        assert opened.url == f"unix:{place}"
    assert not place.exists()


ANSWERS = """
for _refused in range(5000):
    print("channel 3: open failed: connect failed: Connection refused", file=sys.stderr, flush=True)
listener.accept()  # the look whether it is open
listener.accept()[0].sendall(b"still here")
"""


@pytest.mark.process
def test_a_tunnel_that_said_much_of_refused_connections_still_answers(tunnel):
    with tunnel(LISTENS + ANSWERS) as opened, socket.socket(socket.AF_UNIX) as caller:
        caller.settimeout(60)
        caller.connect(opened.url.removeprefix("unix:"))
        assert caller.recv(100) == b"still here"
