"""Health over a span of time: what ran at its beginning still runs at its end, and all answered in between."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from provision.onhost.errors import Unhealthy


@dataclass(frozen=True)
class Run:
    """One run of a unit: another `invocation` means that it ended in between."""

    state: str
    invocation: str
    restarts: int


@dataclass(frozen=True)
class Look:
    """What one look saw: how each unit runs, and what is not right yet, though it may become so. A `blind` one saw no
    unit: systemd did not answer.
    """

    runs: Mapping[str, Run]
    wrong: str | None
    blind: bool = False


BLIND = Look({}, "systemd does not say how the units run", blind=True)
"""While systemd executes itself anew, as its upgrade has it do: nothing is known to be wrong, or right."""


@dataclass(frozen=True)
class Times:
    """Time as the caller has it: `clock` in seconds, and how to let some pass."""

    clock: Callable[[], float]
    sleep: Callable[[float], None]


def require_healthy(look: Callable[[], Look], fresh: set[str], seconds: float, limit_s: float, times: Times) -> None:
    """Wait until all was well for so many seconds without a break; `fresh` units were just started.

    Raises `Unhealthy` at once for a unit that ended, and after `limit_s` for what did not become right.
    """
    every_s = min(2.0, max(0.3, seconds / 20))  # a small plan has a tenth of a CPU: each look costs a process
    began, well_since, first = times.clock(), None, None
    while True:
        seen = look()
        if first is None and not seen.blind:
            first = seen
            _require_first_runs(first, fresh)
        elif first is not None:
            _require_same_runs(first, seen)
        now = times.clock()
        well_since = None if seen.wrong else (now if well_since is None else well_since)
        if well_since is not None and now - well_since >= seconds:
            return
        if now - began > limit_s:
            raise Unhealthy(f"not healthy for {seconds:g} s within {limit_s:g} s: {seen.wrong or 'it kept changing'}")
        times.sleep(every_s)


def _require_first_runs(first: Look, fresh: set[str]) -> None:
    for unit, run in first.runs.items():
        if run.state != "active":
            raise Unhealthy(f"{unit} is {run.state}", unit)
        if unit in fresh and run.restarts:
            raise Unhealthy(f"{unit} ended after its start and was started again", unit)


def _require_same_runs(first: Look, seen: Look) -> None:
    for unit, before in first.runs.items():
        if unit not in seen.runs:
            continue  # paused meanwhile
        now = seen.runs[unit]
        if now.state != "active":
            raise Unhealthy(f"{unit} did not stay up: it is {now.state}", unit)
        if (now.invocation, now.restarts) != (before.invocation, before.restarts):
            raise Unhealthy(f"{unit} did not stay up: it ended and was started again", unit)
