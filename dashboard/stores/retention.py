"""What a store deletes when it has been kept for long enough: finished families, journals, files, sync runs, unnamed
blobs.
"""

import re
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from dashboard.record import Move, Record, moment
from wire.types import FileInfo, State
from wire.values import Written

FINISHED = frozenset({State.DONE, State.FAILED, State.CANCELLED})
"""States of a family that may be deleted; one that another release made up, or that was set aside, keeps it."""
OVER = FINISHED - {State.FAILED}
"""States in which journals and files are needed no more: a failed task may be tried again as it stood."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """What is older than this is deleted, in seconds since 1970; None keeps it for ever."""

    tasks: float | None = None
    journals: float | None = None
    files: float | None = None
    sync_runs: float | None = None


class Freed(Written, frozen=True, kw_only=True):
    """What was deleted: tasks, journals and files of tasks that stay, sync runs; and the blobs that nothing names any
    more.
    """

    tasks: int = 0
    journals: int = 0
    files: int = 0
    sync_runs: int = 0
    blobs: int = 0
    blob_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """How large a store is, how much of that is free for new tasks, and what its disk has beside it; in bytes."""

    size: int
    unused: int
    disk: int


def is_past(record: Record, before: float, states: frozenset[State]) -> bool:
    """Whether a task is in one of these states, and has not changed since."""
    return record.task.state in states and moment(record.task.updated_at, "updated_at").timestamp() < before


def file_removal(before: float) -> Move:
    """Return the move that takes the content of its files off a task that is over: their names and sizes stay, and so
    does the task's age.
    """

    def change(record: Record, _: object) -> Record:
        if not (is_past(record, before, OVER) and (record.files or record.workspace)):
            return record
        bare = {"context": _without_content(record.task.context), "files": _without_content(record.task.files)}
        return replace(record, task=replace(record.task, version=record.task.version + 1, **bare), workspace=None)

    return Move(change)


def _without_content(infos: Sequence[FileInfo]) -> tuple[FileInfo, ...]:
    return tuple(replace(info, sha256="") for info in infos)


# Guarded: one record that is broken must not keep all others.
_AGE = "iif(json_valid(record), unixepoch(json_extract(record, '$.task.updated_at')), NULL)"
ROOTS = f"""
    SELECT id FROM tasks WHERE id > ? AND root = id AND state IN ('done', 'failed', 'cancelled') AND {_AGE} < ?
    ORDER BY id LIMIT 50
"""  # noqa: S608 - ours
"""Roots of families that may be due, a few at a time: one transaction deletes them."""
_MEMBERS = f"""
    SELECT id, state, {_AGE} FROM tasks WHERE id = ?1
    UNION ALL SELECT id, state, {_AGE} FROM tasks INDEXED BY members WHERE root = ?1 AND root <> id
"""  # noqa: S608 - ours
_SESSIONS = """
    SELECT id FROM sessions WHERE task = ?1 AND record IS NOT NULL
    UNION SELECT session FROM tasks WHERE id = ?1 AND session IS NOT NULL
"""
NEXT_JOURNAL = """
    SELECT next, (SELECT root FROM sessions JOIN tasks ON tasks.id = task WHERE sessions.id = next)
    FROM (SELECT min(session) AS next FROM deliveries WHERE session > ?) WHERE next IS NOT NULL
"""
"""The next session that has a journal, and the root of its family."""
WITH_FILES = f"""
    SELECT id, root FROM tasks WHERE id > ? AND state IN ('done', 'cancelled') AND {_AGE} < ?
        AND record GLOB '*"sha256":"[0-9a-f]*' ORDER BY id LIMIT 50
"""  # noqa: S608 - ours
"""Tasks that are over and have content of files or a workspace, a few at a time, with the roots of their families."""
_FINISHED_AT = "iif(json_valid(record), unixepoch(json_extract(record, '$.finished_at')), NULL)"
SYNC_RUNS = f"""
    DELETE FROM sync_runs WHERE n IN (
        SELECT n FROM sync_runs
        WHERE ({_FINISHED_AT} < ?1
            OR outcome = 'damaged' AND n < (SELECT max(n) FROM sync_runs WHERE {_FINISHED_AT} < ?1))
            AND n NOT IN (
                SELECT coalesce(max(n), 0) FROM sync_runs WHERE outcome <> 'damaged'
                UNION SELECT coalesce(max(n), 0) FROM sync_runs
                    WHERE outcome <> 'failed' AND outcome IN ('unchanged', 'changed')
            )
        LIMIT 500
    )
"""  # noqa: S608 - ours
"""The latest run and the latest success stay, however old: alarms and freshness go by them. A damaged one goes
with those reported after it.
"""
AT_ONCE = 20_000
"""Unnamed blobs that are found at once: their names are in memory."""
_NAME = re.compile(r'"([0-9a-f]{64})"')
"""A text that could be a blob's name keeps that blob: a damaged record holds names too, and another release may write
one into a field of its own.
"""
_UNNAMED = "SELECT sha256 FROM blobs WHERE sha256 NOT IN (SELECT sha256 FROM named) LIMIT ?"


def delete_family(db: sqlite3.Connection, root: str, before: float) -> int:
    """Delete a family, unless a member of it is to stay; return how many tasks are gone."""
    if not is_due(db, root, before, FINISHED):
        return 0
    members = [name for name, *_ in db.execute(_MEMBERS, (root,))]
    for task in members:
        for (session,) in db.execute(_SESSIONS, (task,)).fetchall():
            delete_journal(db, session)
            db.execute("DELETE FROM sessions WHERE id = ?", (session,))
        db.execute("DELETE FROM keys WHERE task = ?", (task,))
        db.execute("DELETE FROM notices WHERE task = ?", (task,))
        db.execute("DELETE FROM tasks WHERE id = ?", (task,))
    db.execute("DELETE FROM budgets WHERE root = ?", (root,))
    return len(members)


def delete_journal(db: sqlite3.Connection, session: str) -> None:
    """Delete a session's journal."""
    db.execute("DELETE FROM deliveries WHERE session = ?", (session,))


def is_due(db: sqlite3.Connection, root: str, before: float, states: frozenset[State]) -> bool:
    """Whether all of a family is in one of these states, and has not changed since."""
    members = db.execute(_MEMBERS, (root,)).fetchall()
    return bool(members) and all(state in states and age is not None and age < before for _, state, age in members)


def unnamed(db: sqlite3.Connection) -> set[str]:
    """Return blobs that no record and no journal names, at most `AT_ONCE`, as they are at one moment."""
    db.execute("BEGIN")
    try:
        # On the disk: a process of little memory cannot hold all names.
        db.execute("CREATE TEMP TABLE named (sha256 TEXT PRIMARY KEY) WITHOUT ROWID")
        db.execute("INSERT OR IGNORE INTO named SELECT sha256 FROM deliveries")
        records = db.execute("SELECT record FROM tasks")
        names = ((name,) for (record,) in records for name in _NAME.findall(str(record)))
        db.executemany("INSERT OR IGNORE INTO named VALUES (?)", names)
        return {name for (name,) in db.execute(_UNNAMED, (AT_ONCE,))}
    finally:
        # The table goes with it.
        db.execute("ROLLBACK")


def delete_unnamed(db: sqlite3.Connection, names: list[str]) -> list[int]:
    """Delete those blobs that nothing was given a name of since; return their sizes."""
    still = "sha256 = ? AND EXISTS (SELECT 1 FROM unnamed WHERE unnamed.sha256 = blobs.sha256)"
    sql = f"DELETE FROM blobs WHERE {still} RETURNING length(content)"  # noqa: S608 - ours
    return [size for name in names for (size,) in db.execute(sql, (name,)).fetchall()]
