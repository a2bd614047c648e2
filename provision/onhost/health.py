"""Health over a span of time: what ran at its beginning still runs at its end, and all answered in between. What
operators restart meanwhile, by `fab secrets` for instance, has not ended of itself: its span begins anew.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from provision.onhost.errors import Unhealthy


class Run(NamedTuple):
    """One run of a unit: another `invocation` means that it ended in between, by order where systemd itself has not
    restarted it; `job`: what it was asked to become is not done yet.
    """

    state: str
    invocation: str
    restarts: int
    job: bool = False


class Look(NamedTuple):
    """What one look saw: how each unit runs, and what is not right yet, though it may become so."""

    runs: Mapping[str, Run]
    wrong: str | None


BLIND = Look({}, "systemd does not say how the units run")
"""While systemd executes itself anew, as its upgrade has it do: nothing is known to be wrong, or right."""


class Times(NamedTuple):
    """Time as the caller has it: `clock` in seconds, and how to let some pass."""

    clock: Callable[[], float]
    sleep: Callable[[float], None]


def require_healthy(look: Callable[[], Look], fresh: set[str], seconds: float, limit_s: float, times: Times) -> None:
    """Wait until all was well for so many seconds without a break; `fresh` units were just started.

    Raises `Unhealthy` at once for a unit that ended, and for what did not become right in `limit_s` besides that span.
    """
    limit_s += seconds
    every_s = min(2.0, max(0.3, seconds / 20))  # a small plan has a tenth of a CPU: each look costs a process
    began, well_since, known = times.clock(), None, dict[str, Run]()
    while True:
        seen = look()
        anew = _compared(seen.runs, known, fresh)
        now = times.clock()
        wrong, began = seen.wrong or anew, now if anew else began
        well_since = None if wrong else (now if well_since is None else well_since)
        if well_since is not None and now - well_since >= seconds:
            return
        if now - began > limit_s:
            raise Unhealthy(f"not healthy for {seconds:g} s within {limit_s:g} s: {wrong or 'it kept changing'}")
        times.sleep(every_s)


def _compared(runs: Mapping[str, Run], known: dict[str, Run], fresh: set[str]) -> str | None:
    """Compare each unit with the run that is known of it, and know that from now on; return which is restarted by
    order, if one is. Raises `Unhealthy`.
    """
    anew = None
    for unit, run in runs.items():
        before = known.get(unit)
        # One that systemd restarts by itself has a job as well, and is counted.
        if run.job and run.restarts in (0, before.restarts if before else 0):
            anew = f"{unit} is being restarted, as it was asked to be"
            continue
        _require_up(unit, run, before)
        if before is None and unit in fresh and run.restarts:
            raise Unhealthy(f"{unit} ended after its start and was started again", unit)
        if before is not None and run.invocation != before.invocation:
            anew = f"{unit} was restarted, as it was asked to be"
        known[unit] = run
    return anew


def _require_up(unit: str, run: Run, before: Run | None) -> None:
    if run.state != "active":
        raise Unhealthy(f"{unit} did not stay up: it is {run.state}" if before else f"{unit} is {run.state}", unit)
    if before and run.invocation != before.invocation and run.restarts:
        raise Unhealthy(f"{unit} did not stay up: it ended and was started again", unit)
