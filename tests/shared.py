"""One address for all processes of a run: found by the process that gives out the tests, when the first asks for it."""

import contextlib
import threading
from multiprocessing.connection import Client, Listener

_asked_at: list[str] = []


def share(find):
    """Let other processes ask for what `find` returns; return where."""
    listener = Listener(family="AF_UNIX")
    threading.Thread(target=_answer, args=(listener, find), daemon=True).start()
    return listener.address


def _answer(listener, find):
    while True:
        # Who went away before the answer, as a process that was ended, is no reason not to answer others.
        with contextlib.suppress(OSError), listener.accept() as asking:
            try:
                asking.send(find())
            except Exception as error:  # noqa: BLE001 - the test fails by it, and the next one may not
                asking.send(RuntimeError(str(error)))


def ask_at(place):
    """Let this process ask there."""
    _asked_at[:] = [place]


def is_elsewhere():
    """Whether another process knows the address."""
    return bool(_asked_at)


def asked():
    """Return what the other process found, or raise its failure."""
    with Client(_asked_at[0]) as other:
        found = other.recv()
    if isinstance(found, Exception):
        raise found
    return found
