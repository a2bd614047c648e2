"""A port of this machine's loopback for a program that must be told one."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def reserved() -> Iterator[int]:
    """Yield a free port that stays free for the block: only a program that is given it, and sets SO_REUSEADDR as
    servers do, can listen there.

    A port that was looked for and let go again is any program's by the time its own program listens.
    """
    with socket.socket() as holder:
        # Bound, not listened on: no program that asks for any port gets it, and who connects is refused.
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", 0))
        yield int(holder.getsockname()[1])
