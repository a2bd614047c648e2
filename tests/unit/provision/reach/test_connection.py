"""What a command on a host reads, and in which pieces it goes there."""

import io

import pytest

from provision.reach.connection import PIECE, Host


class Channel:
    """paramiko's channel: takes what a command reads, and ends well."""

    def __init__(self):
        self.pieces, self.ended = [], False

    def sendall(self, piece):
        self.pieces.append(piece)

    def shutdown_write(self):
        self.ended = True

    def makefile(self, _mode):
        return io.BytesIO(b"done\n")

    def settimeout(self, _seconds):
        pass

    def recv_exit_status(self):
        return 0


class Stream(io.BytesIO):
    channel: Channel


class Client:
    """paramiko's client, with one channel for every command."""

    def __init__(self):
        self.channel = Channel()

    def exec_command(self, _command, timeout=None):
        streams = [Stream() for _ in range(3)]
        for stream in streams:
            stream.channel = self.channel
        return streams


@pytest.mark.parametrize("size", [0, 1, PIECE, PIECE + 1, 3 * PIECE - 1])
def test_what_a_command_reads_arrives_whole_in_small_pieces(size):
    content = bytes(range(251)) * (size // 251) + b"\xff" * (size % 251)
    client = Client()
    assert Host("box", client).run(["cat"], content) == b"done\n"
    assert b"".join(client.channel.pieces) == content
    # Of a larger one paramiko copies the rest for each packet.
    assert all(len(piece) <= PIECE for piece in client.channel.pieces)
    assert client.channel.ended
