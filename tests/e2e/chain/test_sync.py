"""The sheet equals the source; a dead credential is told by cause and cure, touches nothing else, and is mended."""

import json
import re
import subprocess
import urllib.request
from urllib.parse import urlencode

import pytest
import urllib3

from local.site import BOOKINGS, GOOGLE
from wire.types import Need, State, SyncOutcome

pytestmark = [pytest.mark.root, pytest.mark.chain]
SECRETS = "/home/jada/secrets"


def google(chain, method, path, **kwargs):
    return urllib3.request(method, f"{chain.site.url(GOOGLE)}{path}", **kwargs)


def typed(form):
    """A form as a browser sends it."""
    return {"body": urlencode(form), "headers": {"Content-Type": "application/x-www-form-urlencoded"}}


def sheet(chain):
    token = json.loads((chain.site.state / "secrets" / "port_sheet_token.json").read_text())
    form = {"grant_type": "refresh_token", **{k: token[k] for k in ("refresh_token", "client_id", "client_secret")}}
    access = google(chain, "POST", "/token", **typed(form)).json()["access_token"]
    path = "/v4/spreadsheets/jada-bookings/values/Bookings"
    return google(chain, "GET", path, headers={"Authorization": f"Bearer {access}"}).json()["values"]


def source(chain):
    token = (chain.site.state / "secrets" / "bookings_token").read_text()
    headers = {"Authorization": f"Bearer {token}"}
    return urllib3.request("GET", f"{chain.site.url(BOOKINGS)}/v1/bookings?limit=1", headers=headers).json()["total"]


def alarms(client):
    waiting = [t for t in client.tasks(State.NEEDS_YOU) if t.waiting and t.waiting.kind is Need.ALARM]
    return [task.waiting.text for task in waiting]


def run_sync(chain, check=True):
    return chain.fab("ssh", "--command", "sudo systemctl start port-sheet-sync.service", check=check).returncode


def test_the_sheet_holds_each_booking_once(chain):
    header, *rows = sheet(chain)
    ids = [row[header.index("id")] for row in rows]
    assert len(ids) == len(set(ids)) == source(chain)


def test_the_second_run_wrote_nothing(chain):
    with chain.dashboard() as client:
        assert SyncOutcome.UNCHANGED in [run.outcome for run in client.sync_runs()]


@pytest.mark.usefixtures("no_cron")
def test_an_operator_sees_what_would_land_what_would_be_written_and_what_was(chain):
    """All three run on the host within the unit's walls, by the settings as they are here."""
    first = json.loads(chain.fab("sync-source", "--count", "1", "--json").stdout)[0]
    booking = first["lands"]["id"]
    assert "nothing to write" in chain.fab("sync-plan").stdout
    assert "added" in chain.fab("sync-explain", booking).stdout
    owners = chain.host("stat -c %U /var/lib/jada-sync/*").split()
    assert set(owners) == {"jada-sync"}


@pytest.mark.usefixtures("no_cron")
def test_a_revoked_token_is_reported_and_mended(chain):
    daemon = chain.host("systemctl show jada-agent -p MainPID -p ActiveEnterTimestampMonotonic")
    google(chain, "POST", "/_local/tokens/revoke", json={})
    assert run_sync(chain, check=False) != 0
    told = chain.host("journalctl --sync && journalctl -u port-sheet-sync -n 20 -o cat")
    assert "invalid_grant" in told
    assert "fab reauth" in told
    assert chain.host("systemctl show jada-agent -p MainPID -p ActiveEnterTimestampMonotonic") == daemon
    with chain.dashboard() as client:
        assert any("fab reauth" in text for text in alarms(client))
        said = authenticate(chain)
        assert not alarms(client)
    assert "Proven: it may write into the spreadsheet" in said
    assert "brought the sheet in step" in said
    assert said.rstrip().endswith("No alarm of the sync is open.")


def authenticate(chain):
    """Run `fab reauth`, and consent as a person would in a browser of this machine; returns what it said."""
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    said = []
    with subprocess.Popen(["fab", "reauth", "--no-browser"], env=chain.env, cwd=chain.folder, **pipes) as flow:
        for line in flow.stdout:
            said.append(line)
            if found := re.search(r"http://10\.\S+", line):
                consent(found[0])
    assert flow.returncode == 0, "".join(said)
    kept = chain.host(f"cat {SECRETS}/port_sheet_token.json")
    (chain.site.state / "secrets" / "port_sheet_token.json").write_text(kept)
    return "".join(said)


def consent(url):
    page = urllib3.request("GET", url).data.decode()
    hidden = dict(re.findall(r'name="([^"]+)" value="([^"]*)"', page))
    chosen = urllib3.request("POST", url, **typed({**hidden, "decision": "allow"}), redirect=False)
    target = chosen.headers["location"]
    assert target.startswith("http://127.0.0.1:")
    # Closed, as a browser does: ssh ends only when no forwarded connection is open.
    with urllib.request.urlopen(target, timeout=30) as thanks:
        assert thanks.status == 200
