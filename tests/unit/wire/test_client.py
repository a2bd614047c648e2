"""How a request is put on the wire; what the calls do stands in tests/contract/test_wire.py."""

import pytest

from wire.client import JOINED_LIMIT, _Connection


class Socket:
    def __init__(self):
        self.sent = []

    def settimeout(self, _seconds):
        pass

    def sendall(self, data):
        self.sent.append(data)


@pytest.mark.parametrize(("body", "pieces"), [(b"{}", 1), (b"x" * JOINED_LIMIT, 2)])
def test_head_and_body_are_sent_at_once_unless_they_are_large(body, pieces):
    connection = _Connection("localhost")
    connection.sock = Socket()
    connection.request("POST", "/v1/claims", body=body)
    assert len(connection.sock.sent) == pieces
    assert b"".join(connection.sock.sent).partition(b"\r\n\r\n")[2] == body
