"""A host that goes down while someone logs in: the connection ends in the middle of what SSH agrees upon first."""

import socket
import threading

import pytest

from doubles.lightsail.access import Authority, new_key, private_pem, public_line
from provision.errors import CommandError
from provision.reach import access
from provision.reach.connection import connected
from wire.secret import Secret


def test_a_connection_that_ends_before_the_keys_are_agreed_upon_is_an_error_with_a_cure(tmp_path):
    key, authority = new_key(), Authority.at(tmp_path / "ca.pem")
    certificate = authority.certificate(key, "admin", access.utc_now().timestamp())
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def go_down():
            with listener.accept()[0] as caller:
                caller.sendall(b"SSH-2.0-going\r\n")
                with caller.makefile("rb") as said:
                    said.readline()

        host = threading.Thread(target=go_down)
        host.start()
        granted = access.Access(
            name="box",
            address="127.0.0.1",
            username="admin",
            key=Secret(private_pem(key)),
            certificate=certificate,
            host_keys=(tuple(public_line(key).split()[:2]),),
            port=listener.getsockname()[1],
        )
        with pytest.raises(CommandError, match="SSH failed: the connection ended"), connected(granted, 60):
            pass
        host.join()
