"""The hosts of a stack at the same time: a failure stops those that have not begun, and one table says how each is."""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any

from provision.errors import CommandError
from provision.progress import Progress

# Each is an SSH connection, and the wheels that go over it: more would share the operator's line.
AT_ONCE = 10
NOT_BEGUN = "not begun, because another host failed"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one host ended: its `value`, or the `error`; with neither it was not begun."""

    host: str
    value: Any = None
    error: CommandError | None = None
    begun: bool = True


def on_each(
    hosts: Sequence[str], do: Callable[[str], Any], *, first_alone: bool = False, at_once: int = AT_ONCE
) -> list[Outcome]:
    """Do something on each host, so many `at_once`; `first_alone`: the others begin when the first one is well.

    One host is done right here: Ctrl-C then ends what is done, as ever.
    """
    if len(hosts) == 1:
        return [_one(hosts[0], do)]
    ended: dict[str, Outcome] = {}
    failed = threading.Event()
    rest = [*hosts]
    if first_alone:
        _at_once([rest.pop(0)], do, ended, failed, 1)
    _at_once(rest, do, ended, failed, at_once)
    return [ended.get(host, Outcome(host, begun=False)) for host in hosts]


def _one(host: str, do: Callable[[str], Any]) -> Outcome:
    try:
        return Outcome(host, do(host))
    except CommandError as error:
        return Outcome(host, error=error)


def _at_once(
    hosts: Sequence[str], do: Callable[[str], Any], ended: dict[str, Outcome], failed: threading.Event, most: int
) -> None:
    waiting: SimpleQueue[str] = SimpleQueue()
    for host in hosts:
        waiting.put(host)
    broken: list[BaseException] = []

    def work() -> None:
        while not failed.is_set():
            try:
                host = waiting.get_nowait()
            except Empty:
                return
            try:
                ended[host] = _one(host, do)
            except BaseException as error:  # noqa: BLE001 - it is raised where the command runs
                broken.append(error)
                failed.set()
                return
            if ended[host].error:
                failed.set()

    # Daemons: Ctrl-C ends the command, and not after the slowest host.
    threads = [threading.Thread(target=work, daemon=True) for _ in range(min(most, len(hosts)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if broken:
        raise broken[0]


def require_all(outcomes: Sequence[Outcome]) -> None:
    """Raise the first host's `CommandError`, when one failed; the others' are in the table."""
    for outcome in outcomes:
        if outcome.error:
            raise outcome.error


def table(outcomes: Sequence[Outcome], word: Callable[[Any], str]) -> Iterator[str]:
    """Say in a line how each host is."""
    width = max(len(outcome.host) for outcome in outcomes)
    for outcome in outcomes:
        yield f"{outcome.host:<{width}}  {_said(outcome, word)}"


def _said(outcome: Outcome, word: Callable[[Any], str]) -> str:
    if not outcome.begun:
        return NOT_BEGUN
    return f"failed: {outcome.error.cause.splitlines()[0]}" if outcome.error else word(outcome.value)


def progress_of(host: str, hosts: Sequence[str], progress: Progress) -> Progress:
    """Return what shows the steps of one host: among several, each line begins with its name."""
    return progress if len(hosts) == 1 else progress.named(host)
