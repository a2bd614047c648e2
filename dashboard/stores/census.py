"""How many tasks a store has in each state, and which of them have waited longest."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Census:
    """Tasks by state; the id of the oldest that could be claimed; since when the oldest waits for a user."""

    states: Mapping[str, int]
    queued: str | None = None
    waiting: str | None = None


# Two indexes: that of all states leaves out what runs.
STATES = """
    SELECT state, count(*) FROM tasks WHERE state <> 'running' GROUP BY state
    UNION ALL SELECT state, count(*) FROM tasks INDEXED BY running WHERE state = 'running' GROUP BY state
"""
QUEUED = """
    SELECT id FROM tasks INDEXED BY by_state
    WHERE state = 'queued' AND state <> 'running' AND (ready_at IS NULL OR ready_at <= ?) ORDER BY id LIMIT 1
"""
WAITING = """
    SELECT min(iif(json_valid(record), json_extract(record, '$.task.waiting.since'), NULL)) FROM (
        SELECT record FROM tasks INDEXED BY by_state
        WHERE state = 'needs_you' AND state <> 'running' ORDER BY id LIMIT 1000
    )
"""
"""Only the thousand that were added first: each row is read, and a flood must not slow down the front page."""
