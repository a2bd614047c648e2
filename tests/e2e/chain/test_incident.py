"""The incident that this project comes from, once more: its token is revoked in the afternoon. Who is told what, when,
by which way; docs/incident.md has the timeline of a run.

With JADA_TIMELINE=FILE the table of this run is written there.
"""

import json
import os
import re
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from datetime import time as time_of_day
from pathlib import Path

import pytest

from local.process import wait_until
from tests.browser import Browser
from tests.e2e.chain.test_notify import MINUTE, PORT, receiver  # noqa: F401 - a fixture
from tests.e2e.chain.test_sync import authenticate, google
from wire.types import State, SyncOutcome

pytestmark = [pytest.mark.root, pytest.mark.chain]
DOCUMENT = Path(__file__).parents[3] / "docs" / "incident.md"
KEY = "alarm:sync"


@dataclass
class Timeline:
    """What was observed, each with its time; reports have whole seconds only."""

    rows: list = field(default_factory=list)

    def add(self, at, what, who="nobody", way="-"):
        self.rows.append((at, what, who, way))

    def table(self, zero):
        """The rows by their times, as Markdown; these count from `zero`."""
        lines = ["| after | what happened | who was told | by which way |", "|---|---|---|---|"]
        for at, *rest in sorted(self.rows):
            seconds = round(at - zero)
            sign = "-" if seconds < 0 else ""
            after = f"{sign}{abs(seconds) // 60}:{abs(seconds) % 60:02}"
            lines.append(f"| {' | '.join([after, *rest])} |")
        return "\n".join(lines) + "\n"


@dataclass
class Outside:
    """The service for heartbeats: what it was told."""

    folder: Path

    def beats(self, since):
        path = self.folder / "beats"
        rows = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        return [row for row in rows if row["at"] > since]

    def waits_for(self, path, since):
        """Wait for the first beat of a kind since a time."""
        assert wait_until(lambda: any(row["path"] == path for row in self.beats(since)), 3 * MINUTE, 0.5), self.beats(0)
        return next(row for row in self.beats(since) if row["path"] == path)

    def require_no_good_news(self, began, reported, bad):
        """None rests on what was seen after a failure was reported, and that is the last word."""
        assert all(proven_at(row) <= reported for row in self.beats(began) if row["path"] == "/beat")
        assert "/beat" not in [row["path"] for row in self.beats(bad["at"])]


@pytest.fixture(scope="module")
def outside(chain, receiver, tmp_path_factory):  # noqa: F811 - the fixture
    folder = tmp_path_factory.mktemp("heartbeat")
    (folder / "heartbeat_url").write_text(f"http://{chain.site.cloud_address}:{PORT}/beat")
    chain.fab("secrets", "--from", str(folder))
    chain.host("systemctl restart jada-notify")
    yield Outside(receiver.folder)
    chain.remove_secrets("heartbeat_url")


def seconds(stamp):
    return datetime.fromisoformat(stamp).timestamp()


def proven_at(beat):
    """When the queue was written and read back for a good heartbeat, as its text says."""
    clock = re.search(r"read back at (\S+) UTC", beat["said"])[1]
    heard = datetime.fromtimestamp(beat["at"], UTC)
    at = datetime.combine(heard.date(), time_of_day.fromisoformat(clock), UTC)
    return (at if at <= heard else at - timedelta(days=1)).timestamp()


def cron(chain, client):
    """Do what cron does at its next half hour, by its own line; return when, the reported run, and when it was seen."""
    line = chain.host("grep systemctl /etc/cron.d/port-sheet-sync").strip()
    before, began = client.sync_runs()[:1], time.time()
    chain.host(re.fullmatch(r"\*/30 \* \* \* \* root (.*)", line)[1])
    assert wait_until(lambda: client.sync_runs()[:1] != before, MINUTE, 0.3)
    return began, client.sync_runs()[0], time.time()


def alarm(client, state):
    return next(task for task in client.tasks(state) if task.dedupe_key == KEY)


def subject(message):
    return re.sub(r" \(\S+\)$", "", message["title"])


@pytest.mark.usefixtures("no_cron")
def test_the_incident_is_reported_within_a_minute_and_closed(chain, receiver, outside):  # noqa: F811 - the fixture
    line, told = Timeline(), "the operator"
    daemon = chain.host("systemctl show jada-agent -p MainPID -p NRestarts")
    with chain.tunnel() as tunnel:
        client, page = tunnel.client, Browser(f"http://127.0.0.1:{tunnel.port}")
        page.open(tunnel.link)
        began, run, _ = cron(chain, client)
        assert run.outcome in {SyncOutcome.UNCHANGED, SyncOutcome.CHANGED}
        beat = outside.waits_for("/beat", began)
        line.add(beat["at"], "the sheet is in step, queue and worker are well", "the service outside", "heartbeat")

        google(chain, "POST", "/_local/tokens/revoke", json={})
        line.add(time.time(), "Google's token is revoked")

        zero, failed, reported = cron(chain, client)
        line.add(zero, "cron's next run begins")
        assert (failed.outcome, failed.error) == (SyncOutcome.FAILED, "token_dead")
        line.add(seconds(failed.finished_at) + 0.5, f"the run fails: {failed.error}", "the queue", "its report")
        raised = alarm(client, State.NEEDS_YOU)
        line.add(seconds(raised.waiting.since) + 0.6, f"an alarm: {raised.title}", told, "page and `fab status`")
        assert raised.title in chain.fab("status").stdout
        assert raised.title in page("GET").data.decode()
        (message,) = receiver.waits_for(raised.title)
        line.add(message["at"], f"“{subject(message)}”, with cause and cure", told, "web hook")
        assert all(part in message["text"] for part in ("Cause: ", "Cure: ", "fab reauth"))
        assert message["at"] - zero < MINUTE
        beat = outside.waits_for("/beat/fail", zero)
        line.add(beat["at"], "the sync's run failed", "the service outside", "heartbeat, /fail")
        assert "the sync's run of" in beat["said"]
        assert beat["at"] - zero < MINUTE
        outside.require_no_good_news(zero, reported, beat)
        assert chain.host("systemctl show jada-agent -p MainPID -p NRestarts") == daemon

        authenticate(chain)
        line.add(time.time(), "`fab reauth`, as the message says, is done: it ran a sync and saw the alarm closed")
        again, mended, _ = cron(chain, client)
        line.add(again, "cron's next run begins")
        assert mended.outcome in {SyncOutcome.UNCHANGED, SyncOutcome.CHANGED}
        line.add(seconds(mended.finished_at) + 0.5, "the run succeeds", "the queue", "its report")
        closed = alarm(client, State.DONE)
        assert closed.id == raised.id
        assert raised.title not in chain.fab("status").stdout
        assert closed.result in page("GET", f"/tasks/{closed.id}").data.decode()
        line.add(seconds(closed.updated_at) + 0.6, f"the alarm closes: {closed.result}", told, "page and `fab status`")
        (over,) = receiver.waits_for(f"{message['id']}.over")
        line.add(over["at"], f"“{subject(over)}”", told, "web hook")
        assert over["at"] - again < MINUTE
        beat = outside.waits_for("/beat", beat["at"])
        line.add(beat["at"], "all is well again", "the service outside", "heartbeat")
    assert len(receiver.got(message["id"])) == 2  # each was sent once
    written = line.table(zero)
    if path := os.environ.get("JADA_TIMELINE"):
        Path(path).write_text(written, encoding="utf-8")
    # Which of two that fall into one second comes first is chance.
    assert sorted(rows(DOCUMENT.read_text(encoding="utf-8"))) == sorted(rows(written)), written


def rows(text):
    """The timeline's rows without their times; the document's other table has fewer columns."""
    cells = [line.split("|") for line in text.splitlines() if line.startswith("| ")]
    return [row[2:] for row in cells if len(row) == 6]
