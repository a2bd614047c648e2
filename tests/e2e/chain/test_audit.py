"""`fab audit` on a host of the local cloud: what it says of a usual day, and of the incident's own state."""

import json
import re

import pytest

pytestmark = [pytest.mark.root, pytest.mark.chain]
ERROR = "[port-sheet] token error: HTTP Error 400: Bad Request"
RUNS = 8
HITS = 6
STALE = """
import sqlite3
queue = sqlite3.connect("/var/lib/jada-dashboard/queue.db", timeout=30)
with queue:
    queue.execute("DELETE FROM sync_runs")
"""
OLD_RUN = """
from datetime import UTC, datetime, timedelta
from wire.client import Client
from wire.types import SyncOutcome, SyncRun
at = (datetime.now(UTC) - timedelta(hours=4, minutes=10)).isoformat(timespec="seconds").replace("+00:00", "Z")
run = SyncRun(started_at=at, finished_at=at, outcome=SyncOutcome.UNCHANGED, rows_read=600)
Client("unix:/run/jada-dashboard/queue.sock").report(run)
"""
SESSIONS = """
from wire.client import Client
from wire.types import ClaimRequest, Exit, SessionEnd
client = Client("unix:/run/jada-dashboard/queue.sock")
for _ in range({hits}):
    claim = client.claim(ClaimRequest(host="restored"))
    limit = {{"exit": Exit.TURN_LIMIT, "turns": 30, "checkpoint": "half done", "reason": "turn limit"}}
    end = SessionEnd(fence=claim.lease.fence, **limit)
    client.end(claim.session.id, end)
"""


def audited(chain, *words):
    done = chain.fab("audit", "--json", *words, check=False)
    return done.returncode, json.loads(done.stdout)


def rows(told):
    return {row["name"]: row for row in told["rows"]}


def logins(chain):
    """How many the journal has. What sshd said a moment ago, of this very login too, may not be in it yet."""
    return int(chain.host("journalctl --sync && journalctl --unit ssh --grep 'Accepted publickey' --quiet | wc -l"))


def test_a_usual_day_has_a_verdict_in_every_row_by_one_login(chain):
    before = logins(chain)
    code, told = audited(chain)
    assert logins(chain) == before + 1
    found = rows(told)
    # The load is that of the machine that all hosts share, and of the tests that run beside this one; how sessions
    # ended on this host today is the doing of the tests that came before.
    others = {"load", "sessions", "turn limit"}
    wrong = {name: row["seen"] for name, row in found.items() if row["verdict"] == "bad" and name not in others}
    assert not wrong
    for name in ("memory", "disk", "services", "queue", "sync", "secrets", "drift", "doors"):
        assert found[name]["verdict"] == "ok", found[name]
    # What Lightsail has not measured yet is not called well.
    young = re.compile("Lightsail has no .* of the last 2 hours yet")
    for name in ("CPU", "burst capacity"):
        assert found[name]["verdict"] in {"ok", "look"} or young.search(found[name]["seen"])
    # A first deploy, and a dashboard that starts, are no errors.
    assert not [one for one in told["errors"] if re.search("uvicorn|Failed to open", one["pattern"])]
    assert code == {"ok": 0, "none": 0, "look": 2, "not known": 3, "bad": 4}[told["verdict"]]


@pytest.fixture
def incident(chain, no_cron):
    """The state in which the incident's host was found: each run of the sync logged an error and reported nothing."""
    chain.host("systemctl stop jada-agent")
    with chain.dashboard() as client:
        from wire.types import AskedBudget, NewTask  # noqa: PLC0415 - beside its use

        budget = AskedBudget(sessions=1)
        made = [client.add_task(NewTask(title=f"restored {n}", budget=budget, priority=9)) for n in range(HITS)]
    chain.as_user("jada", SESSIONS.format(hits=HITS))
    chain.host(f"python3 - <<'END'\n{STALE}\nEND")
    chain.as_user("jada-sync", OLD_RUN)
    for _ in range(RUNS):
        chain.host(f"logger --tag port-sheet '{ERROR}'")
    chain.host("journalctl --sync; chmod 0755 /home/jada/secrets; systemctl start jada-agent")
    yield
    chain.host("chmod 0700 /home/jada/secrets; systemctl start port-sheet-sync")
    with chain.dashboard() as client:
        for task in made:
            client.cancel(task.id)


def test_the_incidents_own_state_is_named(chain, incident, tmp_path):
    page = tmp_path / "audit.html"
    code, told = audited(chain, "--html", str(page))
    found = rows(told)
    assert (code, told["verdict"]) == (4, "bad")
    assert found["sync"]["verdict"] == "bad"
    assert re.match(r"silent for 4\.\d h: no run was reported since", found["sync"]["seen"])
    assert found["secrets"]["verdict"] == "bad"
    assert "/home/jada/secrets is 0755 of root, not 0700" in found["secrets"]["seen"]
    assert found["turn limit"]["verdict"] == "bad"
    assert "more than 30 %" in found["turn limit"]["seen"]
    assert "40 to 50 turns" in found["turn limit"]["cure"]
    (error,) = (one for one in told["errors"] if "token error" in one["pattern"])
    assert (error["pattern"], error["count"]) == (ERROR, RUNS)
    assert error["first"] <= error["last"]
    assert "/home/jada/secrets" in found["drift"]["seen"]
    assert found["services"]["verdict"] == "ok"  # as it was then: nothing of it showed in the daemon
    text = page.read_text(encoding="utf-8")
    assert ERROR in text
    assert "silent for 4." in text
    lines = chain.fab("audit", check=False).stdout
    assert re.search(r"^bad +sync +silent for 4", lines, re.MULTILINE)
