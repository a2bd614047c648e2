"""systemd's notify protocol: datagrams to the socket that the unit's environment names; none without it."""

import socket

from wire.terminal import printable


class Notify:
    """Tells systemd that a service is ready, lives, and what it does. `address` is $NOTIFY_SOCKET, or absent."""

    def __init__(self, address: str | None) -> None:
        # A leading @ stands for the zero byte of an abstract address (sd_notify(3)).
        self._address = "\0" + address[1:] if address and address.startswith("@") else address

    def ready(self) -> None:
        """The service has started."""
        self._send("READY=1")

    def alive(self, status: str = "") -> None:
        """The service lives; `status` is one line for `systemctl status`."""
        self._send(f"WATCHDOG=1\nSTATUS={printable(status)}" if status else "WATCHDOG=1")

    def stopping(self) -> None:
        """The service ends."""
        self._send("STOPPING=1")

    def _send(self, text: str) -> None:
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.connect(self._address)
            sender.sendall(text.encode())


SILENT = Notify(None)
"""Where no systemd listens."""
