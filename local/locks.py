"""What keeps local clouds, and those of tests, apart on one machine: locks that end with their holders."""

import fcntl
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TextIO

from local.site import Site

FOLDER = Path("/run/lock")


class Held(RuntimeError):
    """Another process has the lock; the text names it. `holder` is what it noted about itself."""

    def __init__(self, what: str, holder: str) -> None:
        super().__init__(f"{what} is in use by {holder}")
        self.holder = holder


@contextmanager
def site(wanted: Site) -> Iterator[None]:
    """Keep other processes from acting on a site. Raises `Held`."""
    with _noted(f"{wanted.name}-local", f"the local cloud {wanted.name}", f"process {os.getpid()} ({_command()})"):
        yield


@contextmanager
def octet(wanted: Site, *, shared: bool = False) -> Iterator[None]:
    """Keep other sites from a site's octet; raises `Held`. If `shared`, it may be held for the same site already."""
    with ExitStack() as lock:
        try:
            lock.enter_context(_noted(f"jada-octet-{wanted.octet}", wanted.network, wanted.name))
        except Held as held:
            if not shared or held.holder != wanted.name:
                raise
        yield


@contextmanager
def tests() -> Iterator[str]:
    """Note that a run of the tests is under way; yield who noted that before, or an empty text.

    Neither keeps the other from anything: each test that needs a machine has a site of its own.
    """
    with ExitStack() as lock:
        other = ""
        try:
            lock.enter_context(_noted("jada-tests", "a run of the tests", f"process {os.getpid()} in {Path.cwd()}"))
        except Held as held:
            other = held.holder
        yield other


@contextmanager
def namespaces() -> Iterator[None]:
    """Wait until no other site makes its first namespace or removes its last, and keep it so."""
    with _file("jada-namespaces") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def _noted(name: str, what: str, note: str) -> Iterator[None]:
    with _file(name) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise Held(what, lock.read().strip() or "another process") from None
        lock.truncate(0)
        lock.write(note)
        lock.flush()
        yield


def _file(name: str) -> TextIO:
    FOLDER.mkdir(parents=True, exist_ok=True)
    # Not "w": it would wipe the holder's note before the lock is refused.
    return (FOLDER / f"{name}.lock").open("a+", encoding="utf-8")


def _command() -> str:
    return " ".join(sys.argv[-2:])
