"""What a program sends to the queue, counted on its way: a Unix socket in front of another."""

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

_DELIVERY = re.compile(rb"POST /v1/sessions/\w+/events HTTP.*?content-length: (\d+)", re.DOTALL | re.IGNORECASE)
_ANSWER = re.compile(rb"\r\naccept-encoding: gzip", re.IGNORECASE)


@dataclass
class Counted:
    """What came from the program: all bytes, and those of each connection."""

    sent: list[bytes] = field(default_factory=list)

    @property
    def journal(self) -> int:
        """Bytes of the bodies that carried journal records."""
        return sum(int(length) for sent in self.sent for length in _DELIVERY.findall(sent))


@contextmanager
def relay(path: Path, to: Path, *, packed: bool) -> Iterator[Counted]:
    """Pass on what comes to `path`; where not `packed`, the program never learns that it may pack what it sends."""
    counted = Counted()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def accept() -> None:
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                server = socket.socket(socket.AF_UNIX)
                server.connect(str(to))
                number = len(counted.sent)
                counted.sent.append(b"")
                threading.Thread(target=_pass, args=(client, server, counted, number), daemon=True).start()
                threading.Thread(target=_pass_back, args=(server, client, packed), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield counted
        listener.shutdown(socket.SHUT_RDWR)


def _pass(client: socket.socket, server: socket.socket, counted: Counted, number: int) -> None:
    while data := client.recv(65536):
        counted.sent[number] += data
        server.sendall(data)
    server.shutdown(socket.SHUT_WR)


def _pass_back(server: socket.socket, client: socket.socket, packed: bool) -> None:  # noqa: FBT001 - of a thread
    while data := server.recv(65536):
        # As long as before: it is a name that no one looks for.
        client.sendall(data if packed else _ANSWER.sub(lambda found: found[0].replace(b"ccept", b"xcept"), data))
