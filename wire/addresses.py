"""Where a program finds another: the types of addresses in settings, and the queue's own."""

from typing import Annotated

from msgspec import Meta

Url = Annotated[str, Meta(pattern=r"^https?://[^\s/]+(/\S*)?\Z", description="an address like https://host/path")]
"""An address without spaces; nothing more is checked before it is called."""
QUEUE = "unix:/run/jada-dashboard/queue.sock"
"""Where the queue is for everything on its host."""
QueueUrl = Annotated[
    str,
    Meta(
        # A socket's path has a limit of 108 bytes in the kernel.
        pattern=r"^(https?://[^\s/]+(/\S*)?|unix:/[!-~]{1,99})\Z",
        description="unix: and a socket's path, as unix:/run/queue.sock, or an address like https://host/path",
    ),
]
"""Where a client finds the queue: its socket on the same host, or an address on another."""


def needs_token(url: str) -> bool:
    """Say whether the queue at this address asks for a token: over its socket it asks the kernel who calls."""
    return not url.startswith("unix:")
