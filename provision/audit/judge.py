"""From what was observed to a verdict for each row: pure. A good word names what it rests on, or is withheld."""

import enum
import ipaddress
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from provision import verdicts
from provision.audit.observed import NotKnown, Observed, Point, Rest
from provision.reach.firewall import State
from provision.system.secrets import FOLDER
from provision.system.units import SERVICES
from provision.thresholds import Thresholds
from wire.types import Counted, SyncOutcome, SyncRun


class Verdict(enum.StrEnum):
    """What a row is judged to be, by weight. NONE: there was nothing to judge, which was observed too."""

    NONE = "none"
    OK = "ok"
    LOOK = "look"
    UNKNOWN = "not known"
    BAD = "bad"

    @property
    def code(self) -> int:
        """The exit code; 1 is left to an audit that could not be made."""
        return {Verdict.LOOK: 2, Verdict.UNKNOWN: 3, Verdict.BAD: 4}.get(self, 0)


Row = verdicts.Row[Verdict]
Judged = tuple[Verdict, str, str]
Rule = Callable[[Observed, Thresholds], Judged]
FRESH = timedelta(minutes=15)
"""A metric whose last point is older says nothing of now."""
GB, MB = 1 << 30, 1 << 20


def judge(seen: Observed, limits: Thresholds) -> tuple[Row, ...]:
    """Return a verdict for each row."""
    return tuple(_row(name, rule, seen, limits) for name, rule in RULES.items())


def worst(rows: Iterable[Row]) -> Verdict:
    """Return the worst verdict."""
    return verdicts.worst(rows, Verdict.UNKNOWN)


def _row(name: str, rule: Rule, seen: Observed, limits: Thresholds) -> Row:
    try:
        verdict, said, cure = rule(seen, limits)
        return Row(name, verdict, said, "" if verdict in (Verdict.OK, Verdict.NONE) else cure)
    except NotKnown as error:
        why = str(error)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        # The host's programs may be another release's.
        why = f"what was seen can't be read ({type(error).__name__}: {error})"
    return Row(name, Verdict.UNKNOWN, why, "see to that, then run the audit again")


def _rising(value: float, pair: tuple[float, float]) -> Verdict:
    return Verdict.BAD if value >= pair[1] else Verdict.LOOK if value >= pair[0] else Verdict.OK


def _falling(value: float, pair: tuple[float, float]) -> Verdict:
    return Verdict.BAD if value <= pair[1] else Verdict.LOOK if value <= pair[0] else Verdict.OK


def _instance(seen: Observed, _limits: Thresholds) -> Judged:
    state = str(seen.instance.get())
    good = state == "running"
    cure = "" if good else f"aws lightsail start-instance --instance-name {seen.host}"
    return (Verdict.OK if good else Verdict.BAD), f"Lightsail says that it is {state}", cure


def _fresh(seen: Observed, name: str) -> tuple[Point, ...]:
    points = seen.metric(name)
    if seen.at - points[-1].at > FRESH:
        raise NotKnown(f"Lightsail's last {name} is of {_clock(points[-1].at)}")
    return points


def _checks(seen: Observed, _limits: Thresholds) -> Judged:
    points = _fresh(seen, "StatusCheckFailed")
    failed = [point for point in points if point.maximum]
    if not failed:
        return Verdict.OK, f"0 of {len(points)} failed", ""
    now = points[-1].maximum > 0
    parts = [name for name in ("System", "Instance") if _has_failed(seen, f"StatusCheckFailed_{name}")]
    said = f"{len(failed)} of {len(points)} failed ({', '.join(parts).lower() or 'which is not known'}), "
    cure = "system: stop and start the instance, which moves it; instance: reboot it, and look at its console"
    return (Verdict.BAD if now else Verdict.LOOK), said + f"the last at {_clock(failed[-1].at)}", cure


def _has_failed(seen: Observed, name: str) -> bool:
    try:
        return any(point.maximum for point in seen.metric(name))
    except NotKnown:
        return False


def _cpu(seen: Observed, limits: Thresholds) -> Judged:
    points = _fresh(seen, "CPUUtilization")
    average, most = _average(points), max(point.maximum for point in points)
    said = f"{average:.2f} % on average, {most:.2f} % at most, {_span(points)}"
    return _rising(average, limits.cpu_percent), said, "`fab ssh --command 'top -b -n 1 | head -20'` says what takes it"


def _burst(seen: Observed, limits: Thresholds) -> Judged:
    points = _fresh(seen, "BurstCapacityPercentage")
    now, least = points[-1].average, min(point.average for point in points)
    cure = "it is slowed to its baseline once this is used up: find what takes the CPU, or take a larger plan"
    return _falling(now, limits.burst_percent), f"{now:.0f} % left, {least:.0f} % at least, {_span(points)}", cure


def _memory(seen: Observed, limits: Thresholds) -> Judged:
    part = seen.part("memory")
    used = part["total"] - part["available"]
    percent = 100 * used / part["total"]
    cure = "`fab ssh --command 'systemd-cgtop -b -n 1 -m'` says what takes it"
    return (
        _rising(percent, limits.memory_percent),
        f"{used / MB:.0f} of {part['total'] / MB:.0f} MB ({percent:.0f} %)",
        cure,
    )


def _load(seen: Observed, limits: Thresholds) -> Judged:
    part = seen.part("host")
    load, cpus = part["load"], part["cpus"]
    said = f"{load[0]:.2f}, {load[1]:.2f}, {load[2]:.2f} (1, 5, 15 minutes) on {cpus} CPUs"
    return _rising(load[2] / cpus, limits.load), said, "`fab ssh --command 'top -b -n 1 | head -20'` says what runs"


def _disk(seen: Observed, limits: Thresholds) -> Judged:
    part = seen.part("disk")
    percent = 100 * (1 - part["free"] / part["total"])
    # A file system without a table of inodes has none to run out of.
    inodes = 100 * (1 - part["inodes_free"] / part["inodes"]) if part["inodes"] else 0.0
    used = (part["total"] - part["free"]) / GB
    said = f"{used:.1f} of {part['total'] / GB:.1f} GB ({percent:.0f} %), inodes {inodes:.0f} %"
    cure = "`fab ssh --command 'du -xh / | sort -h | tail'` says where it went"
    return _rising(max(percent, inodes), limits.disk_percent), said, cure


def _uptime(seen: Observed, limits: Thresholds) -> Judged:
    part = seen.part("host")
    up, due = timedelta(seconds=part["uptime_s"]), part["reboot_required"]
    said = f"up {_long(up)}"
    if due:
        return Verdict.LOOK, f"{said}; an update waits for a reboot", "`fab ssh --command reboot`, when no task runs"
    if up < timedelta(hours=limits.uptime_hours):
        cure = "was that meant? `fab ssh --command 'journalctl --list-boots'` has its last hours"
        return Verdict.LOOK, f"{said}: it booted lately", cure
    return Verdict.OK, said, ""


def _services(seen: Observed, _limits: Thresholds) -> Judged:
    units, failed = seen.part("units"), seen.part("failed")
    if not units:
        raise NotKnown("no unit was looked at")
    resting = () if seen.rest.unknown else seen.rest.value.units
    wanted = {name: state for name, state in units.items() if name not in resting}
    down = [f"{name} is {state.get('ActiveState', '?')}" for name, state in wanted.items() if _is_down(name, state)]
    down += [f"{name} failed" for name in failed if not any(name in one for one in down)]
    if down:
        return Verdict.BAD, "; ".join(down), "`fab logs --unit NAME` says why"
    running = ", ".join(_short(name) for name in wanted if name in SERVICES)
    return Verdict.OK, f"active: {running or 'none, all are paused'}; no unit of the host has failed", ""


def _rest(seen: Observed, _limits: Thresholds) -> Judged:
    rest: Rest = seen.rest.get()
    if rest.units:
        return Verdict.LOOK, "; ".join(rest.lines), "`fab resume` lets them work again"
    return Verdict.OK, "nothing is paused", ""


def _is_down(name: str, state: dict[str, str]) -> bool:
    if name not in SERVICES:  # the clock starts it, and it ends
        return state.get("LoadState") != "loaded" or state.get("Result") not in (None, "success")
    return state.get("ActiveState") != "active"


def _restarts(seen: Observed, limits: Thresholds) -> Judged:
    counts = {name: int(state["NRestarts"]) for name, state in seen.part("units").items() if state.get("NRestarts")}
    if not counts:
        raise NotKnown("systemd did not say how often units were restarted")
    again = [f"{_short(name)} {count} times" for name, count in counts.items() if count]
    said = ", ".join(again) or f"none of {', '.join(map(_short, counts))} since it was started"
    return _rising(max(counts.values()), limits.restarts), said, "`fab logs --unit NAME` says what ended it"


def _queue(seen: Observed, limits: Thresholds) -> Judged:
    ready, tasks = seen.part("ready"), seen.part("tasks")
    if ready != "ready":
        raise NotKnown(f"the queue says {ready!r}")
    queued = [task for task in tasks if task["state"] == "queued" and not _is_later(task, seen.at)]
    running = sum(task["state"] == "running" for task in tasks)
    said = f"written and read back; {len(queued)} queued, {running} running"
    if not queued:
        return Verdict.OK, said, ""
    oldest = max(seen.at - _time(task["since"]) for task in queued)
    cure = "`fab status` says whether the worker runs; the day's sessions or dollars may be used up"
    return _rising(_hours(oldest), limits.queued_hours), f"{said}; the oldest for {_long(oldest)}", cure


def _is_later(task: dict[str, Any], now: datetime) -> bool:
    return bool(task.get("not_before")) and _time(task["not_before"]) > now


def _waiting(seen: Observed, _limits: Thresholds) -> Judged:
    tasks = seen.part("tasks")
    alarms = [task for task in tasks if task.get("waits_for") == "alarm"]
    waiting = [task for task in tasks if task["state"] == "needs_you" and task not in alarms]
    failed = [task for task in tasks if task["state"] == "failed"]
    if alarms:
        return Verdict.BAD, f"alarm: {_titles(alarms)}", "`fab status` has its cause and cure"
    if failed or waiting:
        said = [f"{len(waiting)} for your answer: {_titles(waiting)}"] if waiting else []
        said += [f"{len(failed)} failed: {_titles(failed)}"] if failed else []
        return Verdict.LOOK, "; ".join(said), "`fab task.answer ID`, `fab task.retry ID`"
    return Verdict.OK, "no alarm, no question, no failed task", ""


def _titles(tasks: Sequence[dict[str, Any]]) -> str:
    shown = ", ".join(f"“{task['title']}”" for task in tasks[:3])
    return f"{shown} and {len(tasks) - 3} more" if len(tasks) > 3 else shown


def _wellness(seen: Observed, _limits: Thresholds) -> Judged:
    found = seen.part("wellness")
    if found.well:
        return Verdict.OK, "the queue was proven, the worker heard of, the sheet in step, as its own rule has it", ""
    if not found.complaints:
        raise NotKnown("the dashboard has not observed all of it yet")
    return Verdict.BAD, "; ".join(found.complaints), "the page and `fab status` say more"


def _sessions(seen: Observed, limits: Thresholds) -> Judged:
    day = _period(seen, 24)
    if not day.begun:
        return Verdict.NONE, "none began within 24 hours", ""
    percent = 100 * day.failed / day.begun
    ends = f"{day.finished} finished, {day.hits} at their turn limit, {day.failed} failed"
    said = f"{day.begun} began within 24 hours; {ends}"
    return (
        _rising(percent, limits.failed_percent),
        f"{said} ({percent:.0f} %)",
        "`fab task.list --state failed` has them",
    )


def _turn_limit(seen: Observed, limits: Thresholds) -> Judged:
    day, week = _period(seen, 24), _period(seen, 168)
    found = max((day, week), key=lambda one: one.hits / one.ended if one.ended else -1.0)
    if not found.ended:
        return Verdict.NONE, "no session ended within 7 days", ""
    percent = 100 * found.hits / found.ended
    within = "24 hours" if found is day else "7 days"
    used = f"{found.hits} of {found.ended} sessions within {within} used up their turns"
    said = f"{used} ({percent:.0f} %; {found.sureness})"
    if percent > limits.turn_limit_percent:
        cure = "consider 40 to 50 turns (agent.turns) and watch the cost: the page says what they had done"
        return Verdict.BAD, f"{said}: more than {limits.turn_limit_percent:g} %", cure
    return Verdict.OK, said, ""


def _period(seen: Observed, hours: int) -> Counted:
    periods: tuple[Counted, ...] = seen.part("rates").periods
    found = next((one for one in periods if one.hours == hours), None)
    if found is None:
        raise NotKnown(f"the queue did not count sessions of {hours} hours")
    return found


SUCCESSES = (SyncOutcome.CHANGED, SyncOutcome.UNCHANGED)
CREDENTIAL_GONE = "`fab reauth` lets the sync in again"


def _sync(seen: Observed, limits: Thresholds) -> Judged:
    runs: tuple[SyncRun, ...] = seen.part("sync_runs").sync_runs
    if not runs:
        raise NotKnown("no run of the sync was ever reported")
    latest = runs[0]
    if latest.outcome == SyncOutcome.OFF:
        return Verdict.NONE, "it is not set up (sync.enabled = false)", ""
    success = next((run for run in runs if run.outcome in SUCCESSES), None)
    silent = seen.at - _time(latest.finished_at)
    since = f"since {_clock(_time(success.finished_at))}" if success else f"in the last {len(runs)} runs"
    if latest.outcome not in SUCCESSES:
        cause = latest.cause or latest.error or f"its outcome is {latest.outcome.value!r}"
        return (
            Verdict.BAD,
            f"the run of {_clock(_time(latest.finished_at))} failed: {cause}; no success {since}",
            latest.cure or CREDENTIAL_GONE,
        )
    verdict = _rising(silent / timedelta(minutes=1), limits.sync_minutes)
    figures = f"{latest.rows_read} rows read"
    if verdict is Verdict.OK:
        return verdict, f"in step {_long(silent)} ago, {figures}", ""
    said = f"silent for {_long(silent)}: no run was reported {since}; bookings and sheet may differ"
    return (
        verdict,
        said,
        "`fab logs --unit port-sheet-sync`, `fab ssh --command 'systemctl status cron'`, then start it",
    )


def _token(seen: Observed, limits: Thresholds) -> Judged:
    runs: tuple[SyncRun, ...] = seen.part("sync_runs").sync_runs
    if runs and runs[0].outcome == SyncOutcome.OFF:
        return Verdict.NONE, "the sync is not set up, and needs none", ""
    part = seen.part("token")
    age = seen.at.timestamp() - part["since"]
    kind = "a service account" if part["kind"] == "service_account" else "a consent"
    said = f"{kind}, {_long(timedelta(seconds=age))} old"
    if not runs or runs[0].outcome not in SUCCESSES:
        raise NotKnown(f"{said}; no run of the sync has used it with success lately")
    if runs[0].token_dies_at is None:
        return Verdict.OK, f"{said}, used with success at {_clock(_time(runs[0].finished_at))}; no end in sight", ""
    left = _time(runs[0].token_dies_at) - seen.at
    return _falling(_hours(left), limits.token_hours), f"{said}; it dies in {_long(left)}", CREDENTIAL_GONE


def _secrets(seen: Observed, _limits: Thresholds) -> Judged:
    rights = seen.part("secrets")
    folder = FOLDER
    wrong = [
        f"{path} is {mode} of {owner}, not {'0700' if path == folder else '0600'} of root"
        for path, (mode, owner) in rights.items()
        if (mode, owner) != ("0700" if path == folder else "0600", "root")
    ]
    if folder not in rights:
        raise NotKnown(f"{folder} was not looked at")
    if wrong:
        return Verdict.BAD, "; ".join(wrong), "`fab deploy` sets them right"
    return Verdict.OK, f"{folder} is 0700, its {len(rights) - 1} files 0600, all root's", ""


def _drift(seen: Observed, _limits: Thresholds) -> Judged:
    changes = seen.drift.get()
    if not changes:
        return Verdict.OK, "a deploy would change nothing", ""
    first = "; ".join(f"{action} {what}" for action, what in changes[:4])
    more = f"; and {len(changes) - 4} more" if len(changes) > 4 else ""
    return Verdict.LOOK, f"a deploy would {first}{more}", "`fab plan` says all of it, `fab deploy` brings it back"


WORLD = {"0.0.0.0/0", "::/0"}


def _doors(seen: Observed, _limits: Thresholds) -> Judged:
    doors: State = seen.doors.get()
    open_to_all = [door for door in doors if WORLD & set(door.sources)]
    others = [door for door in doors if not door.is_ssh and door.sources]
    if open_to_all or others:
        named = "; ".join(map(str, dict.fromkeys([*open_to_all, *others])))
        return Verdict.BAD, f"open beside the operators' SSH: {named}", "`pulumi refresh`, then `pulumi up` close it"
    meant: Sequence[str] = seen.cidrs.get()
    sources = [source for door in doors for source in door.sources]
    strangers = [source for source in sources if source not in seen.held and not _is_within(source, meant)]
    if strangers:
        said = f"SSH is open to {', '.join(strangers)}, which the stack's operator-cidrs do not have"
        return Verdict.BAD, said, "a door that was left open: `pulumi refresh`, then `pulumi up` close it"
    own = f"; {', '.join(seen.held)} by a door that closes again" if seen.held else ""
    return Verdict.OK, f"SSH only, from {', '.join(source for source in sources if source not in seen.held)}{own}", ""


def _is_within(source: str, meant: Iterable[str]) -> bool:
    try:
        network = ipaddress.ip_network(source)
    except ValueError:  # an alias as lightsail-connect
        return source in meant
    known = [ipaddress.ip_network(text) for text in meant]
    return any(network.version == one.version and network.subnet_of(one) for one in known)  # type: ignore[arg-type]


def _updates(seen: Observed, limits: Thresholds) -> Judged:
    part = seen.part("updates")
    fetched = seen.at - datetime.fromtimestamp(part["fetched"], seen.at.tzinfo)
    if fetched > timedelta(days=7):
        raise NotKnown(f"apt's lists are {_long(fetched)} old")
    secure, pending = part["security"], part["pending"]
    said = f"{len(secure)} security updates and {len(pending) - len(secure)} others wait; lists {_long(fetched)} old"
    named = f" ({', '.join(secure[:4])}{', …' if len(secure) > 4 else ''})" if secure else ""
    cure = "`fab ssh --command 'sudo unattended-upgrade'` installs the security updates now, when no task runs"
    return _rising(len(secure), limits.security_updates), said + named, cure


def _logs(seen: Observed, limits: Thresholds) -> Judged:
    part = seen.part("journal")
    if not part["lines"]:
        raise NotKnown(f"the journal has no line of ours within {seen.hours} hours")
    count = sum(one["count"] for one in part["patterns"]) + part["beyond"]
    if not count:
        since = _clock(datetime.fromtimestamp(part["since"], seen.at.tzinfo))
        return Verdict.OK, f"no error in {part['lines']} lines since {since}", ""
    first = part["patterns"][0]
    most = f"most often, {first['count']} ×: {first['sample']}"
    said = f"{count} lines of {len(part['patterns'])} kinds within {seen.hours} hours; {most}"
    return (
        _rising(count, limits.log_errors),
        said,
        "the list below says when each began; `fab logs --since -24h` has all",
    )


def _notified(seen: Observed, _limits: Thresholds) -> Judged:
    found = seen.part("notifications")
    if not found.targets:
        return Verdict.LOOK, "no user is told: what waits is only on the page", "set dashboard.notify.targets"
    named = ", ".join(found.targets)
    if found.unsent:
        return (
            Verdict.BAD,
            f"{named}; {found.unsent} messages unsent since {found.oldest}: {found.answer}",
            "`fab notify` tries each",
        )
    return Verdict.OK, f"{named}; nothing is unsent", ""


RULES: dict[str, Rule] = {
    "instance": _instance,
    "status checks": _checks,
    "CPU": _cpu,
    "burst capacity": _burst,
    "memory": _memory,
    "load": _load,
    "disk": _disk,
    "uptime": _uptime,
    "services": _services,
    "restarts": _restarts,
    "paused": _rest,
    "queue": _queue,
    "waiting": _waiting,
    "wellness": _wellness,
    "sessions": _sessions,
    "turn limit": _turn_limit,
    "sync": _sync,
    "token": _token,
    "secrets": _secrets,
    "logs": _logs,
    "drift": _drift,
    "doors": _doors,
    "updates": _updates,
    "notified": _notified,
}
"""Each row, in the order in which they are shown."""


def _average(points: Sequence[Point]) -> float:
    return sum(point.average for point in points) / len(points)


def _span(points: Sequence[Point]) -> str:
    return f"{len(points)} points since {_clock(points[0].at)}"


def _short(unit: str) -> str:
    return unit.removesuffix(".service")


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _clock(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"


def _hours(span: timedelta) -> float:
    return span / timedelta(hours=1)


def _long(span: timedelta) -> str:
    """Say a span in the unit that suits it."""
    minutes = max(0.0, span / timedelta(minutes=1))
    if minutes < 120:
        return f"{minutes:.0f} min"
    return f"{minutes / 60:.1f} h" if minutes < 48 * 60 else f"{minutes / 60 / 24:.1f} days"
