"""The incident of the sync, half a day of it by a clock that is passed in: healthy, revoked in the afternoon, cron all
night, told, cured by one command, converged. docs/google.md has the timeline.
"""

import contextlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dashboard.application import create as dashboard
from dashboard.stores.sqlite import SqliteStore
from local.serve import running
from sync.__main__ import main
from tests.clocks import Clock
from tests.tokens import accepting
from wire.client import Client
from wire.secret import Secret
from wire.types import State

TOKEN = "dashboard-token-of-the-test"
DOCUMENT = Path(__file__).parents[3] / "docs" / "google.md"
NIGHT = 24
"""Runs of half a day."""


@pytest.fixture
def clock():
    # Today: Google's double has its own clock, and its tokens live an hour of it.
    return Clock(datetime.now(UTC).replace(hour=14, minute=0, second=0, microsecond=0))


@pytest.fixture
def queue(filled, clock):
    """A dashboard with our clock in place of the town's."""
    store = SqliteStore(filled.folder / "night.db")
    with running(dashboard(store, accepting(Secret(TOKEN)), clock=clock)) as url, contextlib.closing(store):
        filled.configure(dashboard_url=url)
        yield Client(url, Secret(TOKEN))


def test_half_a_day_of_a_dead_token_is_one_alarm_with_its_cure_and_one_command_ends_it(
    filled, queue, clock, monkeypatch
):
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(filled.folder / "secrets"))
    files = ["--settings", str(filled.folder / "jada.toml"), "--state", str(filled.folder / "state")]
    lines = []

    def cron():
        clock.now += timedelta(minutes=30)
        code = main(files, clock)
        return code, queue.sync_runs()[0]

    def note(what):
        lines.append(f"| {clock.now:%H:%M} | {what} |")

    def alarms():
        return [task for task in queue.tasks(State.NEEDS_YOU) if task.dedupe_key == "alarm:sync"]

    code, run = cron()
    assert (code, run.outcome, alarms()) == (0, "unchanged", [])
    note("a run: nothing to do, the sheet is in step")
    filled.call("POST", f"{filled.google}/_local/tokens/revoke")
    note("the token is revoked")
    for number in range(1, 10):
        filled.book(f"J0000{number}", rate=f"{number}00")
    code, run = cron()
    assert (code, run.error) == (10, "token_dead")
    (raised,) = alarms()
    assert "fab reauth" in raised.waiting.text
    note(f"the first run after it fails: exit {code}, {run.error}; an alarm, sent within a minute, says cause and cure")
    since = raised.waiting.since
    for _ in range(NIGHT - 1):
        assert cron()[0] == 10
    (still,) = alarms()
    assert (still.id, still.waiting.since) == (raised.id, since)
    note(f"{NIGHT} runs have failed; it is one alarm, since the first of them; nine bookings have changed meanwhile")
    filled.authenticate()
    note("`fab reauth`: consent, a write proves the token, one run")
    code, run = main(files, clock), queue.sync_runs()[0]
    assert (code, run.outcome, run.changed, alarms()) == (0, "changed", 9, [])
    note(f"that run writes the {run.changed} changes, reads them back, and the alarm closes")
    code, run = cron()
    assert (code, run.outcome) == (0, "unchanged")
    note("a run: nothing to do, the sheet is in step")
    assert {row["rate"] for row in filled.rows()} >= {100 * number for number in range(1, 10)}
    assert "\n".join(lines) in DOCUMENT.read_text(encoding="utf-8"), "\n".join(lines)
