"""The hosts of a queue: what each says of itself and does for all, what runs on it, what it took of today. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from dashboard.caps import Caps, DayUse
from dashboard.record import Record
from dashboard.role_lease import LeaseRecord
from wire.types import HostDayUse, HostList, HostReport, HostStanding, RunningOn, Session


@dataclass(frozen=True, slots=True)
class Heard:
    """A host's last report, and for how many seconds nothing newer was seen; `is_old`: it may have been written long
    before this dashboard began, which has seen no other one.
    """

    report: HostReport
    for_s: float
    is_silent: bool
    is_old: bool = False


def named(report: HostReport) -> str:
    """Return how operators call a host, and the name that it has itself, where these are two."""
    return f"{report.called} ({report.host})" if report.called not in ("", report.host) else report.host


def listed(  # noqa: PLR0913 - what it is put together of
    heard: Iterable[Heard],
    *,
    roles: Mapping[str, LeaseRecord],
    running: Sequence[Record],
    sessions: Iterable[Session],
    spent: Mapping[str, int],
    most: Caps,
    used: DayUse | None,
) -> HostList:
    """Return the hosts by name: those that speak, and those that only work here. `sessions` are those that began today,
    `spent` the micro-dollars of each by its id, `used` what is taken of the caps `most`.
    """
    said = {each.report.host: each for each in heard}
    today: dict[str, list[int]] = defaultdict(list)
    for session in sessions:
        today[session.host].append(spent.get(session.id, session.usd_micros))
    runs: dict[str, list[RunningOn]] = defaultdict(list)
    for record in running:
        if record.session:
            runs[record.session.host].append(RunningOn(task=record.task.id, title=record.task.title))
    names = sorted({*said, *today, *runs})
    return HostList(
        hosts=tuple(_standing(name, said.get(name), roles, runs[name], today[name]) for name in names),
        today=HostDayUse(sessions=sum(map(len, today.values())), usd_micros=sum(map(sum, today.values()))),
        sessions_per_day=most.sessions,
        usd_micros_per_day=most.usd_micros,
        taken=HostDayUse(sessions=used.sessions, usd_micros=used.usd_micros) if used else None,
    )


def _standing(
    name: str, heard: Heard | None, roles: Mapping[str, LeaseRecord], runs: Sequence[RunningOn], today: Sequence[int]
) -> HostStanding:
    report = heard.report if heard else HostReport(host=name)
    return HostStanding(
        host=name,
        called=report.called,
        heard_at=report.at or None,
        heard_s=round(heard.for_s) if heard else None,
        silent=heard.is_silent if heard else False,
        worker_seen=report.worker_seen,
        wrong=report.wrong,
        load=report.load,
        cpus=report.cpus,
        free_mb=report.free_mb,
        roles=tuple(sorted(role for role, each in roles.items() if (each.holder or "").split("/")[0] == name)),
        running=tuple(runs),
        today=HostDayUse(sessions=len(today), usd_micros=sum(today)),
    )
