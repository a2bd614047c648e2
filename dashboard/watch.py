"""Alarms about sync and queue: pure moves of an alarm task, made when a run is reported and when time has passed.

An alarm is a task in needs_you that cannot be claimed. Its dedupe key keeps it one: raised again, its text is
updated; when its cause is gone, it is closed as done. `alarm:sync` says that the sheet is (or may be) out of step,
because a run failed or none succeeded for too long; `alarm:token` that Google's token will die soon;
`alarm:records` that records of the booking system could not be used; `alarm:damaged` that records of the queue were set
aside, because they cannot be read; `alarm:backup` that the night's backup failed; `alarm:off-box` that none arrives at
its target; `alarm:disk` that the queue's disk is full, or will be soon; `alarm:worker:HOST` that a worker can't work.

Over a table each host watches what is its own, `alarm:off-box:HOST` and `alarm:disk:HOST`; the rest, and
`alarm:host:HOST` for one that is silent, is watched by the host that has the watch (`dashboard.duties`).
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

from dashboard import rules
from dashboard.hosts import Heard, named
from dashboard.record import Record, moment
from dashboard.settings import OffBox, Settings
from dashboard.stores import AlarmMove
from wire.times import stamp
from wire.types import HostReport, Need, NewTask, NightlyBackup, State, SyncOutcome, SyncRun, Waiting

NewId = Callable[[], str]

PREFIX = "alarm:"
WORKER = f"{PREFIX}worker:"
SYNC, TOKEN, RECORDS = f"{PREFIX}sync", f"{PREFIX}token", f"{PREFIX}records"
DAMAGED, BACKUP, DISK = f"{PREFIX}damaged", f"{PREFIX}backup", f"{PREFIX}disk"
OFF_BOX, HOST = f"{PREFIX}off-box", f"{PREFIX}host:"
MB = 1024 * 1024


def reported(run: SyncRun, new_id: NewId, now: datetime, settings: Settings) -> dict[str, AlarmMove]:
    """Return the moves that a reported run brings about; only an outcome that is known as success closes an alarm."""
    token = _token(run, new_id(), now, settings)
    if run.outcome == SyncOutcome.OFF:
        return {SYNC: _closed("The sync is not set up yet.", now)}
    if run.outcome in rules.SUCCESSES:
        return {SYNC: _closed("A sync run succeeded.", now), RECORDS: _records(run, new_id(), now), **token}
    return {
        SYNC: _raised(SYNC, "The booking sheet is out of step: the sync failed", _failure(run), new_id(), now),
        **token,
    }


def looked(
    success: SyncRun | None,
    latest: SyncRun | None,
    started: datetime,
    new_id: NewId,
    now: datetime,
    settings: Settings,
) -> dict[str, AlarmMove]:
    """Return the moves that time brings about, given the last success, the latest run, the watch's start, and until
    when the sync was paused.
    """
    moves = _token(latest, new_id(), now, settings) if latest else {}
    since = max([started if success is None else moment(success.finished_at, "finished_at"), *_off_at(latest)])
    fresh = now - since <= timedelta(minutes=settings.freshness_minutes)
    if settings.freshness_minutes and not fresh:
        silent = _raised(
            SYNC, "The booking sheet may be out of step: the sync is silent", _silence(since), new_id(), now
        )
        moves[SYNC] = lambda old: old or silent(None)  # an open one knows more: the failure's cause
    return moves


def unreadable(names: Sequence[str], new_id: str, now: datetime) -> dict[str, AlarmMove]:
    """Return the move of the alarm about records that were set aside."""
    if not names:
        return {DAMAGED: _closed("Nothing is set aside any more.", now)}
    text = (
        f"Set aside, with what is held of them: {', '.join(names)}.\n"
        "Cause: they were changed or broken from outside, or this release cannot read them.\n"
        "Cure: restore a backup from before (`fab queue.restore`), or add these tasks again."
    )
    return {DAMAGED: _raised(DAMAGED, "Records cannot be read", text, new_id, now)}


def disk(free: int, new_id: str, now: datetime, settings: Settings, *, refused: bool) -> dict[str, AlarmMove]:
    """Return the move of the alarm about the queue's disk: `free` bytes are left, and `refused` says that a write found
    no room lately. It closes with a quarter more than what raised it, or it would come and go.
    """
    least = settings.least_free_mb * MB
    if not refused and free >= least:
        return {DISK: _closed("There is room on the disk again.", now)} if free >= least * 5 // 4 else {}
    # A power of two: an exact number would be another text at each look.
    below = min(2 ** (free // MB).bit_length(), settings.least_free_mb)
    left = f"less than {below} MB are free" if free < least else "but some room is free: a quota, or all inodes used"
    full = "The queue's disk is full" if refused else "The queue's disk is nearly full"
    effect = "Writes are refused until there is room; what was acknowledged stays" if refused else "Soon writes fail"
    text = (
        f"Cause: {left} on the disk that holds the queue.\n{effect}.\n"
        "Cure: make room on the host; `fab ssh --command 'df -h; sudo du -xh / | sort -h | tail'` says where it went."
    )
    return {DISK: _raised(DISK, full, text, new_id, now)}


def worker(host: HostReport, trouble: str | None, new_id: str, now: datetime) -> dict[str, AlarmMove]:
    """Return the move of the alarm about a worker that claims nothing, because what is wrong would meet every task."""
    key = f"{WORKER}{host.host}"
    if trouble is None:
        return {key: _closed("The worker claims again.", now)}
    text = (
        f"Cause: {trouble}\nNo task fails by this: all wait. It is tried again by itself, with pauses of up to 30 "
        f"minutes; `fab ssh{_at(host)} --command 'sudo systemctl restart jada-agent'` tries at once."
    )
    return {key: _raised(key, f"The worker on {named(host)} can't work", text, new_id, now)}


def backed_up(failed: str | None, new_id: str, now: datetime) -> dict[str, AlarmMove]:
    """Return the move of the alarm about the night's backup; `failed` says why there is none."""
    if failed is None:
        return {BACKUP: _closed("The night's backup was made.", now)}
    text = f"Cause: {failed}.\nCure: mend that; it is tried again every minute. `fab queue.backup` tries at once."
    return {BACKUP: _raised(BACKUP, "The queue has no backup of this night", text, new_id, now)}


def host_disk(free: int, host: HostReport, new_id: str, now: datetime, settings: Settings) -> dict[str, AlarmMove]:
    """Return the move of the alarm about the disk of one of several hosts, whose queue is not on it."""
    key, least, name = f"{DISK}:{host.host}", settings.least_free_mb * MB, named(host)
    if free >= least:
        return {key: _closed("There is room on the disk again.", now)} if free >= least * 5 // 4 else {}
    below = min(2 ** (free // MB).bit_length(), settings.least_free_mb)
    text = (
        f"Cause: less than {below} MB are free on the disk of {name}.\nSoon its worker begins nothing, and what its "
        "sessions write is refused; the queue is in the table, and loses nothing.\n"
        f"Cure: make room there; `fab ssh{_at(host)} --command 'df -h; sudo du -xh / | sort -h | tail'` says where it "
        "went."
    )
    return {key: _raised(key, f"The disk of {name} is nearly full", text, new_id, now)}


def silent(heard: Iterable[Heard], new_id: NewId, now: datetime) -> dict[str, AlarmMove]:
    """Return the moves of the alarms about silent hosts."""
    moves = {}
    for each in heard:
        host, at = named(each.report), each.report.at
        key = f"{HOST}{each.report.host}"
        if not each.is_silent:
            moves[key] = _closed("The host is heard of again.", now)
            continue
        text = (
            f"The last word of its dashboard is of {at}.\nCause: the host is down, cut off, or its dashboard does not "
            "run. Its tasks go on on other hosts once their leases are past.\n"
            f"Cure: look at it with `fab ssh{_at(each.report)}`, or restart it. If {host} is gone "
            "for good, cancel this alarm: then nothing waits for it any more."
        )
        moves[key] = _raised(key, f"The host {host} is silent", text, new_id(), now)
    return moves


def off_box(
    backup: NightlyBackup | None,
    settings: OffBox,
    started: datetime,
    new_id: str,
    now: datetime,
    host: HostReport | None = None,
) -> dict[str, AlarmMove]:
    """Return the move of the alarm about the backup that is sent to a target each night, of one `host` of several."""
    if host:
        # Of the time before there were several: its host has one of its own now.
        gone = {OFF_BOX: _closed("Each host has an alarm of its own now.", now)}
        return gone | _off_box(f"{OFF_BOX}:{host.host}", host, backup, settings, started, new_id, now)
    return _off_box(OFF_BOX, None, backup, settings, started, new_id, now)


def _off_box(  # noqa: PLR0913, PLR0917 - see above
    key: str,
    host: HostReport | None,
    backup: NightlyBackup | None,
    settings: OffBox,
    started: datetime,
    new_id: str,
    now: datetime,
) -> dict[str, AlarmMove]:
    if not settings.target:
        return {key: _closed("No target is set any more.", now)}
    sent_at = backup.sent_at if backup else None
    # From the start on only where none ever arrived: a restart is no backup, and proves none.
    since = moment(sent_at, "sent_at") if sent_at else started
    late = now - since > timedelta(hours=settings.alarm_hours)
    last = f"The last one that arrived is of {sent_at}." if sent_at else "None has arrived yet."
    if backup and backup.failed:
        cause, title = backup.failed, "The backup could not be sent off the box"
    elif late:
        cause, title = (
            f"none arrived for {settings.alarm_hours} hours, and none was reported to fail",
            "No backup arrives",
        )
    else:
        return {key: _closed("A backup is at the target.", now)} if sent_at else {}
    at = _at(host) if host else ""
    text = (
        f"Cause: {cause}.\n{last}\nCure: mend that; it is tried again each hour. `fab ssh{at} --command 'sudo "
        f"systemctl start jada-backup'` tries at once, `fab logs{at} --unit jada-backup` has its words."
    )
    return {key: _raised(key, f"{title}: {named(host)}" if host else title, text, new_id, now)}


def _at(host: HostReport) -> str:
    """Return the option by which a command acts on a host."""
    return f" --host {host.called or 'NAME'}"


def _off_at(latest: SyncRun | None) -> list[datetime]:
    """When the sync last said that it is not set up: freshness counts from there, and so from its enabling on."""
    off = latest is not None and latest.outcome == SyncOutcome.OFF
    return [moment(latest.finished_at, "finished_at")] if latest and off else []


def _records(run: SyncRun, new_id: str, now: datetime) -> AlarmMove:
    if not run.set_aside:
        return _closed("All records of the booking system can be used.", now)
    title = f"Bookings that can't be read: {run.set_aside} set aside, the rest is in step"
    return _raised(RECORDS, title, f"Cause: {run.cause}\nCure: {run.cure}", new_id, now)


def _failure(run: SyncRun) -> str:
    parts = (
        f"The run of {run.finished_at} {_words(run)}.",
        run.cause and f"Cause: {run.cause}",
        run.cure and f"Cure: {run.cure}",
    )
    return "\n".join(part for part in parts if part)


def _words(run: SyncRun) -> str:
    if run.outcome is SyncOutcome.FAILED:
        return f"failed ({run.error or 'no error class given'})"
    return f"ended as {run.outcome.value!r}, which this release does not know: it proves no success"


def _silence(since: datetime) -> str:
    return (
        f"No verified success since {stamp(since)}.\n"
        "Cause: the sync did not run, or could not report here.\n"
        "Cure: on its host, look at `journalctl -u port-sheet-sync` and `systemctl status cron`;"
        " then run `systemctl start port-sheet-sync`."
    )


def _token(run: SyncRun, new_id: str, now: datetime, settings: Settings) -> dict[str, AlarmMove]:
    """The token's move. A failed run that knows no date changes nothing: it may not have got as far as the token."""
    if run.token_dies_at is None:
        return {TOKEN: _closed("The token has no end in sight.", now)} if run.outcome in rules.SUCCESSES else {}
    if moment(run.token_dies_at, "token_dies_at") - now > timedelta(hours=settings.token_warning_hours):
        return {TOKEN: _closed("The token was renewed.", now)}
    text = f"It dies at {run.token_dies_at}; from then on the sync fails.\nCure: re-authenticate with `fab reauth`."
    return {TOKEN: _raised(TOKEN, "The sync's Google token is about to die", text, new_id, now)}


def _raised(key: str, title: str, text: str, new_id: str, now: datetime) -> AlarmMove:
    def move(old: Record | None) -> Record | None:
        if old and old.task.waiting and old.task.waiting.text == text:
            return old
        since = old.task.waiting.since if old and old.task.waiting else stamp(now)
        waiting = Waiting(kind=Need.ALARM, text=text, since=since)
        fresh = old or rules.draft(NewTask(title=title, dedupe_key=key, priority=9), new_id, now)
        return rules.changed(fresh, now, title=title, state=State.NEEDS_YOU, waiting=waiting)

    return move


def _closed(why: str, now: datetime) -> AlarmMove:
    def move(old: Record | None) -> Record | None:
        return old and rules.changed(old, now, state=State.DONE, waiting=None, result=why)

    return move
