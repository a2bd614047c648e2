"""A tunnel that does not open: what is said is what was seen. And one that is open, and told to end."""

import socket
import subprocess

import pytest

from provision.reach.keyfiles import ended_by_signals
from provision.reach.tunnel import Tunnel, unopened


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
