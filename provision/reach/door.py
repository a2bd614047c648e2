"""A door in the firewall of hosts: one address let in for as long as a command runs, and taken out after it.

What a command that was killed left open is taken out by the next one: whatever SSH is open to beyond the operators'
addresses, unless a command of this machine still holds it.
"""

import fcntl
import os
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from provision.errors import CommandError
from provision.reach import firewall
from provision.reach.firewall import Firewall, State
from provision.reach.keyfiles import ended_by_signals


@contextmanager
def opened(
    firewalls: Sequence[Firewall], address: str, allowed: Collection[str], held: Path, note: Callable[[str], None]
) -> Iterator[None]:
    """Let an IPv4 address in to these hosts' SSH for the block's duration, also when a signal ends it.

    `allowed` are the operators' CIDRs, `held` the folder of the locks that say what commands of this machine hold open.
    """
    with ended_by_signals(), ExitStack() as doors:
        for each in firewalls:
            doors.enter_context(_opened(each, f"{address}/32", allowed, held, note))
        yield


def sweep(each: Firewall, allowed: Collection[str], held: Path) -> tuple[str, ...]:
    """Take out what no command of this machine holds open and is not the operators'; return it."""
    taken: dict[str, None] = {}

    def without_strays(state: State) -> State:
        left = [cidr for cidr in firewall.strays(state, allowed) if not is_held(held, each.instance, cidr)]
        taken.update(dict.fromkeys(left))
        return firewall.changed(state, take_out=left)

    each.change(without_strays)
    return tuple(taken)


@contextmanager
def _opened(
    each: Firewall, cidr: str, allowed: Collection[str], held: Path, note: Callable[[str], None]
) -> Iterator[None]:
    if left := sweep(each, {*allowed, cidr}, held):
        note(f"{each.instance}: taken out of the firewall, left there by a command that was killed: {', '.join(left)}")
    if cidr not in firewall.strays(each.state(), allowed) and firewall.lets_in(each.state(), cidr.removesuffix("/32")):
        # The operators' own: nothing to open, and nothing to take out.
        yield
        return
    with _held(held, each.instance, cidr) as lock:
        try:
            each.change(lambda state: firewall.changed(state, add=[cidr]))
            note(f"{each.instance}: {cidr} is let in, for this command only")
            yield
        finally:
            _close(each, cidr, held, lock, note)


def _close(each: Firewall, cidr: str, held: Path, lock: int, note: Callable[[str], None]) -> None:
    with _guarded(held):
        last = _is_last(lock)
    if not last:
        note(f"{each.instance}: {cidr} stays, for another command of this machine still uses it")
        return
    try:
        each.change(lambda state: firewall.changed(state, take_out=[cidr]))
    except CommandError as error:
        raise CommandError(
            f"{cidr} is still let in to {each.instance}: {error.cause}",
            f"{error.cure}. `fab door --out`, or the next command with --door, takes it out",
        ) from error
    note(f"{each.instance}: {cidr} is taken out again")


@contextmanager
def _held(folder: Path, instance: str, cidr: str) -> Iterator[int]:
    """Hold a lock that others see for as long as this process lives: the kernel lets go of it when we are killed."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = os.open(_path(folder, instance, cidr), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_SH)
        yield lock
    finally:
        _let_go(lock)


def _is_last(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_held(folder: Path, instance: str, cidr: str) -> bool:
    """Whether a command of this machine holds a door open for these addresses."""
    try:
        lock = os.open(_path(folder, instance, cidr), os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        with _guarded(folder):
            return not _is_last(lock)
    finally:
        _let_go(lock)


@contextmanager
def _guarded(folder: Path) -> Iterator[None]:
    """Let one command at a time try a lock: while it tries, the lock would look held to another one that closes."""
    guard = os.open(folder / "guard", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(guard, fcntl.LOCK_EX)
        yield
    finally:
        _let_go(guard)


def _let_go(lock: int) -> None:
    # Closing is not enough: a program that another thread just starts has a copy of it for a moment.
    fcntl.flock(lock, fcntl.LOCK_UN)
    os.close(lock)


def _path(folder: Path, instance: str, cidr: str) -> Path:
    return folder / f"{instance}-{cidr.replace('/', '_')}"
