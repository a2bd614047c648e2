"""A tunnel that does not open: what is said is what was seen."""

import socket

from provision.reach.tunnel import unopened


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
