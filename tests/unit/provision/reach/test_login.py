"""A host that goes down while someone logs in: the connection ends in the middle of what SSH agrees upon first."""

import io
import socket
import threading

import paramiko
import pytest

from doubles.lightsail.access import Authority, new_key, private_pem, public_line
from provision.errors import CommandError
from provision.reach import access
from provision.reach.connection import connected, not_let_in
from wire.secret import Secret


def granted(folder, key, port):
    """An access to a host at this machine's own address."""
    certificate = Authority.at(folder / "ca.pem").certificate(key, "admin", access.utc_now().timestamp())
    return access.Access(
        name="box",
        address="127.0.0.1",
        username="admin",
        key=Secret(private_pem(key)),
        certificate=certificate,
        host_keys=(tuple(public_line(key).split()[:2]),),
        port=port,
    )


def refusal(folder, key, meet):
    """What a login says whose host does `meet` with the connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def go_down():
            with listener.accept()[0] as caller:
                meet(caller)

        host = threading.Thread(target=go_down)
        host.start()
        with (
            pytest.raises(CommandError) as refused,
            connected(granted(folder, key, listener.getsockname()[1]), 60),
        ):
            pass
        host.join()
    return refused.value


def test_a_connection_that_ends_before_the_keys_are_agreed_upon_is_an_error_with_a_cure(tmp_path):
    def greet(caller):
        caller.sendall(b"SSH-2.0-going\r\n")
        caller.shutdown(socket.SHUT_WR)
        # To its end: a connection that is closed over unread words is reset, which is another error.
        while caller.recv(65536):
            pass

    assert "SSH failed: the connection ended" in refusal(tmp_path, new_key(), greet).cause


class GoesDown(paramiko.ServerInterface):
    """A host that goes down when the login is about to be answered."""

    def __init__(self, caller):
        self.caller, self.down = caller, threading.Event()

    def get_banner(self):
        self.caller.shutdown(socket.SHUT_RDWR)
        self.down.set()
        return super().get_banner()


def test_a_login_that_is_cut_off_is_not_taken_for_a_refused_certificate(tmp_path):
    key = new_key()

    def cut(caller):
        host, server = paramiko.Transport(caller), GoesDown(caller)
        host.add_server_key(paramiko.RSAKey.from_private_key(io.StringIO(private_pem(key))))
        # With an event of its own it does not wait for the keys, and does not raise that the connection is gone.
        host.start_server(threading.Event(), server)
        server.down.wait(60)
        host.join()

    error = refusal(tmp_path, key, cut)
    assert "refuses the certificate" not in error.cause
    assert "sshd -T" not in error.cure


@pytest.mark.parametrize("said", ["Authentication timeout.", "Authentication failed: transport shut down or saw EOF"])
def test_a_login_without_an_answer_says_what_was_seen(said):
    error = not_let_in("box (192.0.2.7)", paramiko.AuthenticationException(said))
    assert error.cause == f"box (192.0.2.7) neither took nor refused the certificate: {said}"
    assert "again" in error.cure


@pytest.mark.parametrize(
    "error",
    [
        paramiko.AuthenticationException("Authentication failed."),
        paramiko.BadAuthenticationType("Bad authentication type", ["password"]),
    ],
)
def test_a_refused_certificate_is_said_to_be_refused(error):
    assert "box refuses the certificate" in not_let_in("box", error).cause
