"""The sync's unit on a host: a program as its source, a service account, and its end when memory or time run out."""

import json

import pytest

from local.site import BOOKINGS
from tests.e2e.chain.test_notify import SECRETS, receiver  # noqa: F401 - a fixture
from tests.e2e.chain.test_sync import alarms, google
from wire.types import SyncOutcome

pytestmark = [pytest.mark.root, pytest.mark.chain, pytest.mark.usefixtures("no_cron")]
PROGRAM = "/usr/local/bin/bookings"
DROP_IN = "/run/systemd/system/port-sheet-sync.service.d"
READS = """#!/usr/bin/python3
import json, os, sys, urllib.request
token = sys.stdin.readline().strip()
asked = urllib.request.Request("{url}/v1/bookings?limit=1000", headers={{"Authorization": "Bearer " + token}})
found = json.load(urllib.request.urlopen(asked))
assert found["total"] == len(found["bookings"])
def writes(path):
    try:
        open(path, "w").close()
    except OSError as error:
        return type(error).__name__
seen = {{
    "uid": os.getuid(),
    "variables": sorted(os.environ),
    "writes": {{path: writes(path + "/x") for path in ("/etc", "/opt/jada-agent", "/home", "/var/lib/jada-agent")}},
    "folders": sorted(name for name in ("/home/jada", "/root") if os.access(name, os.R_OK)),
    "unit": open("/proc/self/cgroup").read(),
}}
json.dump(seen, open("/var/lib/jada-sync/seen.json", "w"))
for booking in found["bookings"]:
    print(json.dumps(booking))
print(json.dumps({{"complete": found["total"]}}))
"""
EATS = """#!/usr/bin/python3
kept = []
while True:
    kept.append(bytearray(b"x" * 2**20))
"""
HANGS = """#!/bin/sh
exec sleep 900
"""


@pytest.fixture
def sourced(chain, receiver):  # noqa: F811 - the fixture
    """Make a program the sync's source, and give its unit other limits; both are taken back."""
    kept = chain.host("cat /etc/jada/jada.toml")

    def source(program, limits=""):
        table = f'[sync.source]\nkind = "command"\ncommand = ["{PROGRAM}"]\n'
        lines = [line for line in kept.splitlines() if not line.startswith("bookings_url")]
        put(chain, "/etc/jada/jada.toml", "\n".join([*lines, table]))
        put(chain, PROGRAM, program)
        chain.host(f"chmod 755 {PROGRAM}")
        limit(chain, limits)

    yield source
    put(chain, "/etc/jada/jada.toml", kept)
    limit(chain, "")
    chain.host(f"rm -f {PROGRAM} /var/lib/jada-sync/seen.json")
    chain.host("systemctl reset-failed port-sheet-sync; rm -f /var/lib/jada-notify/failed-*", check=False)
    assert run(chain)


def put(chain, path, text):
    chain.host(f"cat > $(readlink -f {path}) <<'END_OF_FILE'\n{text}\nEND_OF_FILE")


def limit(chain, lines):
    chain.host(f"rm -rf {DROP_IN}")
    if lines:
        chain.host(f"mkdir -p {DROP_IN}")
        put(chain, f"{DROP_IN}/test.conf", f"[Service]\n{lines}")
    chain.host("systemctl daemon-reload")


def run(chain):
    """Start the unit as cron does, and wait for its end; return whether it succeeded."""
    return chain.host("systemctl start port-sheet-sync.service && echo done", check=False).strip() == "done"


def result(chain):
    return chain.host("systemctl show -P Result port-sheet-sync").strip()


def last_run(chain):
    with chain.dashboard() as client:
        return client.sync_runs()[0], alarms(client)


def test_a_program_is_the_source_within_the_units_walls(chain, sourced):
    sourced(READS.format(url=chain.site.url(BOOKINGS)))
    assert run(chain)
    last, open_alarms = last_run(chain)
    assert (last.outcome, open_alarms) == (SyncOutcome.UNCHANGED, [])
    assert last.rows_read > 0
    seen = json.loads(chain.host("cat /var/lib/jada-sync/seen.json"))
    assert seen["uid"] == int(chain.host("id -u jada-sync"))
    assert set(seen["variables"]) <= {"PATH", "HOME", "LANG", "TZ", "LC_CTYPE", "PWD", "SHLVL", "_"}
    assert None not in seen["writes"].values()
    assert seen["folders"] == []
    assert "port-sheet-sync.service" in seen["unit"]


def test_a_program_that_eats_all_memory_is_taken_by_itself_and_reported(chain, sourced, receiver):  # noqa: F811
    sourced(EATS)
    assert not run(chain)
    last, open_alarms = last_run(chain)
    assert (last.error, len(open_alarms)) == ("bookings_command", 1)
    assert "perhaps for want of memory" in last.cause
    assert result(chain) == "exit-code"
    receiver.waits_for("want of memory")


def test_a_sync_that_is_killed_for_want_of_memory_is_reported_by_systemd(chain, sourced, receiver):  # noqa: F811
    sourced(HANGS, "MemoryMax=8M\nMemorySwapMax=0")
    assert not run(chain)
    assert result(chain) in ("oom-kill", "signal")
    (said,) = receiver.waits_for("Failed: port-sheet-sync.service")
    assert "oom-kill" in said["text"] or "signal" in said["text"]


def test_a_sync_whose_source_hangs_is_ended_by_its_units_limit_and_reported(chain, sourced, receiver):  # noqa: F811
    sourced(HANGS, "TimeoutStartSec=15")
    assert not run(chain)
    assert result(chain) == "timeout"
    last, open_alarms = last_run(chain)
    assert (last.error, len(open_alarms)) == ("stopped", 1)
    receiver.waits_for("time limit of its unit")


def test_a_service_account_needs_no_consent(chain, receiver, tmp_path):  # noqa: F811
    kept = chain.host(f"cat {SECRETS}/port_sheet_token.json")
    key = google(chain, "POST", "/_local/service-accounts", json={"name": "port-sheet"}).json()
    (tmp_path / "port_sheet_token.json").write_text(json.dumps(key))
    try:
        chain.fab("secrets", "--from", str(tmp_path))
        assert not run(chain)
        assert last_run(chain)[0].error == "sheet_forbidden"
        share = {"account": key["client_email"], "role": "writer"}
        assert google(chain, "POST", "/_local/spreadsheets/jada-bookings/share", json=share).status == 200
        assert run(chain)
        last, open_alarms = last_run(chain)
        assert (last.outcome, last.token_dies_at, open_alarms) == (SyncOutcome.UNCHANGED, None, [])
    finally:
        (tmp_path / "port_sheet_token.json").write_text(kept)
        chain.fab("secrets", "--from", str(tmp_path))
        chain.host("systemctl reset-failed port-sheet-sync; rm -f /var/lib/jada-notify/failed-*", check=False)
        assert run(chain)
