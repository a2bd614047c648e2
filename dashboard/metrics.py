"""The queue's figures as OpenMetrics text, for who has a Prometheus. Pure: from figures to text.

Written by hand: the client library takes 10 MB of a box of 914. Its parser holds this text in the tests.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from ulid import ULID

from dashboard.hosts import Heard
from dashboard.rates import Rate
from dashboard.record import moment
from dashboard.stores.census import Census
from dashboard.stores.journal import Used
from wire.types import NightlyBackup, Notifications, State, SyncRun

MEDIA = "application/openmetrics-text; version=1.0.0; charset=utf-8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What is observed at one moment; None where nothing was observed yet. `well` rests on a proof of the queue."""

    now: datetime
    ready: bool
    well: bool
    census: Census
    spent: Mapping[str, Used]
    sessions_today: int
    rates: Mapping[int, Rate]
    worker_seen: datetime | None
    run: SyncRun | None
    run_succeeded: bool
    success: SyncRun | None
    notified: Notifications
    off_box: tuple[bool, NightlyBackup | None]
    hosts: Sequence[Heard]
    running: Mapping[str, int]
    size: int | None
    free: int | None


@dataclass(frozen=True, slots=True)
class Family:
    """One metric: its samples by what stands between the braces. A counter's samples end in `_total`."""

    name: str
    kind: Literal["gauge", "counter"]
    help: str
    samples: Mapping[str, float] = field(default_factory=dict)

    @property
    def unit(self) -> str:
        """The unit, which the name has to end in."""
        return next((unit for unit in ("seconds", "bytes", "ratio") if self.name.endswith(f"_{unit}")), "")


def families(seen: Figures) -> Iterator[Family]:
    """Yield the metrics; one of which nothing was observed has no samples."""
    yield _gauge("jada_ready", "Whether the queue was just written and read back.", float(seen.ready))
    yield _gauge("jada_well", "Whether queue, worker and sync are known to be well.", float(seen.well))
    states = {state.value: 0 for state in State} | dict(seen.census.states)
    counts = {f'state="{escaped(state)}"': float(count) for state, count in sorted(states.items())}
    yield Family("jada_tasks", "gauge", "Tasks by state.", counts)
    yield _gauge(
        "jada_oldest_queued_seconds",
        "How long ago the oldest task was added that a worker could take; 0 without one.",
        _age(seen, seen.census.queued and ULID.from_str(seen.census.queued).datetime),
    )
    yield _gauge(
        "jada_oldest_waiting_seconds",
        "How long the oldest task has waited for a user; 0 without one.",
        _age(seen, seen.census.waiting and moment(seen.census.waiting, "since")),
    )
    yield _gauge("jada_sessions_today", "Sessions that began this UTC day.", float(seen.sessions_today))
    usd = sum(used.usd_micros for used in seen.spent.values()) / 1_000_000
    yield _counter("jada_usd", "Dollars that all sessions have cost.", usd)
    yield _counter("jada_turns", "Turns of all sessions.", float(sum(used.turns for used in seen.spent.values())))
    shares = {f'days="{days}"': rate.share for days, rate in seen.rates.items() if rate.ended}
    yield Family("jada_turn_limit_ratio", "gauge", "Of the sessions that ended, those at their turn limit.", shares)
    ended = {f'days="{days}"': float(rate.ended) for days, rate in seen.rates.items()}
    yield Family("jada_sessions_ended", "gauge", "Sessions that ended within so many days.", ended)
    yield _gauge("jada_worker_seen_timestamp_seconds", "When the worker was heard of.", _at(seen.worker_seen))
    silent = {f'host="{escaped(each.report.host)}"': each.for_s for each in seen.hosts}
    yield Family("jada_host_silent_seconds", "gauge", "How long nothing new was heard of a host.", silent)
    load = {f'host="{escaped(h.report.host)}"': h.report.load for h in seen.hosts if h.report.load is not None}
    yield Family("jada_host_load", "gauge", "The load of a host's last minute.", load)
    running = {f'host="{escaped(host)}"': float(count) for host, count in sorted(seen.running.items())}
    yield Family("jada_host_running", "gauge", "Sessions that run on a host.", running)
    succeeded = float(seen.run_succeeded) if seen.run else None
    yield _gauge("jada_sync_succeeded", "Whether the latest run of the sync succeeded.", succeeded)
    yield _gauge("jada_sync_success_timestamp_seconds", "When the sheet was last in step.", _finished(seen.success))
    yield _gauge("jada_sync_run_timestamp_seconds", "When the sync last ended.", _finished(seen.run))
    yield _gauge("jada_notifications_unsent", "Notices that have not reached a target.", float(seen.notified.unsent))
    targets = float(len(seen.notified.targets))
    yield _gauge("jada_notification_targets", "Targets that are set up; 0: no user is told.", targets)
    _, backup = seen.off_box
    sent_at = backup.sent_at if backup else None
    yield _gauge(
        "jada_backup_sent_timestamp_seconds",
        "When a backup was last seen whole at its target.",
        moment(sent_at, "sent_at").timestamp() if sent_at else None,
    )
    size = float(backup.size) if backup and sent_at else None
    yield _gauge("jada_backup_size_bytes", "The size of that backup.", size)
    yield _gauge("jada_store_size_bytes", "The size of the queue's file.", _float(seen.size))
    yield _gauge("jada_disk_free_bytes", "What is free on its disk.", _float(seen.free))


def text(found: Iterable[Family]) -> str:
    """Write metrics as OpenMetrics 1.0 has it."""
    return "\n".join([line for family in found for line in _lines(family)] + ["# EOF", ""])


def escaped(value: str) -> str:
    """Write a label's value: a state of another release may be any text."""
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _lines(family: Family) -> Iterator[str]:
    yield f"# TYPE {family.name} {family.kind}"
    if family.unit:
        yield f"# UNIT {family.name} {family.unit}"
    yield f"# HELP {family.name} {family.help}"
    name = f"{family.name}_total" if family.kind == "counter" else family.name
    for labels, value in family.samples.items():
        yield f"{name}{{{labels}}} {value!r}" if labels else f"{name} {value!r}"


def _gauge(name: str, said: str, value: float | None) -> Family:
    return Family(name, "gauge", said, {} if value is None else {"": value})


def _counter(name: str, said: str, value: float) -> Family:
    return Family(name, "counter", said, {"": value})


def _float(value: int | None) -> float | None:
    return None if value is None else float(value)


def _age(seen: Figures, since: datetime | str | None) -> float:
    return max(0.0, (seen.now - since).total_seconds()) if isinstance(since, datetime) else 0.0


def _at(when: datetime | None) -> float | None:
    return None if when is None else when.timestamp()


def _finished(run: SyncRun | None) -> float | None:
    return None if run is None else moment(run.finished_at, "finished_at").timestamp()
