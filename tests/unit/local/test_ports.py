import contextlib
import socket

import pytest

from local.ports import reserved


def test_who_is_given_the_port_listens_there_and_may_do_so_again():
    with reserved() as port:
        for _ in range(2):
            with socket.create_server(("127.0.0.1", port)), socket.create_connection(("127.0.0.1", port), timeout=30):
                pass
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=30)


def test_nobody_else_gets_it_meanwhile():
    with reserved() as port, contextlib.ExitStack() as others:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=30)
        asked = [others.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(500)]
        assert port not in {other.getsockname()[1] for other in asked}
        assert others.enter_context(reserved()) != port
        with pytest.raises(OSError, match="in use"), socket.socket() as plain:
            plain.bind(("127.0.0.1", port))
