"""What *deployed* and *proven* rest on: each is withheld when it is not so, and what is damaged comes back."""

import threading
from dataclasses import replace

import pytest
from msgspec import structs

from local.process import wait_until
from provision.errors import CommandError
from provision.release import installer
from provision.release.deploy import deploy, health, install, prepare, roll_back, upload
from provision.release.installer import Errand, follow
from provision.release.plan import changes, orders
from tests.e2e.provision.host import probed, serves_wholly, until_idle, until_proven

pytestmark = pytest.mark.root
AGENT = "jada-agent.service"


@pytest.fixture
def agent(source):
    """The worker's file in the work tree, as it was again afterwards."""
    path = source.root / "agent" / "__main__.py"
    whole = path.read_text()
    yield path
    path.write_text(whole)


END = "/var/lib/jada-agent/end"
"""The worker of some releases ends when this is there: after a moment, and not after a time that a busy machine needs
for the steps before it.
"""


@pytest.fixture
def ending(deployed, agent):
    """The work tree's worker ends when it is told to."""
    told = f"time.sleep(0.1)\n    if os.path.exists({END!r}):\n        raise SystemExit(1)"
    agent.write_text(agent.read_text().replace("time.sleep(10)", told))
    yield
    deployed.run(["rm", "-f", END])


def _ends_while_it_is_looked_at(cloud, before):
    """Tell the worker to end once a new deploy looks whether it stays up."""

    def looks():
        new = [run for run in cloud.disk.glob("opt/jada-agent/deploys/*/events") if run not in before]
        return any("wait until it has been healthy" in run.read_text() for run in new)

    if wait_until(looks, 60, 0.1):
        (cloud.disk / END[1:]).touch()


def _last_words(box):
    return box.run(["sh", "-c", "tail -n 1 /opt/jada-agent/deploys/$(ls /opt/jada-agent/deploys | tail -n 1)/events"])


@pytest.mark.usefixtures("ending")
def test_a_worker_that_ends_after_its_start_is_never_called_deployed(cloud, deployed, source, progress):
    before = probed(deployed)
    assert before.proven[0] == before.current
    slower = replace(source, settings=structs.replace(source.settings, deployed_s=5, proven_s=6))
    runs = set(cloud.disk.glob("opt/jada-agent/deploys/*/events"))
    telling = threading.Thread(target=_ends_while_it_is_looked_at, args=(cloud, runs))
    telling.start()
    said = r"(?s)jada-agent.service (did not stay up|is ).*last proven release, .*, is back"
    with pytest.raises(CommandError, match=said):
        deploy(deployed, slower, progress)
    telling.join()
    assert probed(deployed).current == before.current
    assert serves_wholly(deployed)


@pytest.mark.usefixtures("ending")
def test_one_that_ends_later_is_taken_back_by_the_host_itself(deployed, source, progress):
    before = probed(deployed).current
    watched = replace(source, settings=structs.replace(source.settings, proven_s=90))
    assert "deployed; the host watches it" in deploy(deployed, watched, progress)
    assert probed(deployed).current != before
    deployed.run(["touch", END])
    until_proven(deployed)
    assert b'"reverted"' in _last_words(deployed)
    assert probed(deployed).current == before
    assert serves_wholly(deployed)


@pytest.mark.usefixtures("ending")
def test_one_that_is_killed_while_it_goes_back_is_taken_back_all_the_same(cloud, deployed, source, progress):
    """What runs by then is the release before, and well: no proof of the one that fell."""
    before = probed(deployed)
    watched = replace(source, settings=structs.replace(source.settings, deployed_s=5, proven_s=90))
    deploy(deployed, watched, progress)
    fallen = probed(deployed).current
    events = cloud.disk / "opt/jada-agent/deploys" / probed(deployed).run / "events"
    deployed.run(["touch", END])
    assert wait_until(lambda: '"begin": "go back' in events.read_text(), 60, 0.1)
    deployed.run(["systemctl", "kill", "--signal=KILL", "--kill-whom=main", "jada-deploy"])
    until_idle(deployed)
    assert b'"reverted"' in _last_words(deployed)
    after = probed(deployed)
    assert (after.current, after.proven[0], after.pending) == (before.current, before.current, None)
    assert fallen not in after.proven
    assert serves_wholly(deployed)


def test_a_worker_whose_poll_is_not_answered_is_never_called_deployed(deployed, hasty, progress, agent):
    agent.write_text(agent.read_text().replace("STATUS=the queue answered;", "STATUS=the queue has not answered;"))
    with pytest.raises(CommandError, match=r"(?s)has had no answer of the queue.*last proven release, .*, is back"):
        deploy(deployed, hasty, progress)


def test_a_detached_deploy_is_followed_to_its_proof(deployed, source, progress, agent):
    agent.write_text(agent.read_text() + "# detached\n")
    assert "fab attach" in deploy(deployed, source, progress, Errand(detach=True))
    follow(deployed, None, progress, Errand(), until_deployed=True)
    # As `fab secrets` does it: what an operator restarts has not fallen.
    deployed.run(["systemctl", "restart", "jada-agent.service"])
    assert follow(deployed, None, progress, Errand(), until_deployed=False).endswith("is proven")
    assert probed(deployed).pending is None
    assert not deploy(deployed, source, progress)


DAMAGES = {
    "an empty manifest": ("truncate -s 0 /opt/jada-agent/releases/{current}/manifest.json", "manifest.json"),
    "an empty manifest elsewhere": (
        "mkdir -p /opt/jada-agent/releases/other && touch /opt/jada-agent/releases/other/manifest.json",
        "release other",
    ),
    "a folder at /etc/jada": ("rm /etc/jada && mkdir /etc/jada && touch /etc/jada/somebodys", "/etc/jada.moved-"),
    "a lost environment": ("rm -r /opt/jada-agent/venvs/{lock}", "was lost or changed"),
    "an environment that lost a file": ("rm /opt/jada-agent/venvs/{lock}/bin/activate", "was lost or changed"),
    "a lost recovery": (
        "systemctl disable jada-recover; rm -f /etc/systemd/system/jada-recover.service",
        "jada-recover",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_damaged_is_named_and_the_next_deploy_puts_it_right(deployed, source, progress, damage):
    do, named = DAMAGES[damage]
    plan = prepare(deployed, source, progress).plan
    deployed.run(["sh", "-c", do.format(current=plan.release, lock=plan.lock)])
    said = [f"{action} {what}" for action, what in changes(prepare(deployed, source, progress).plan)]
    assert any(named in line for line in said), said
    deploy(deployed, source, progress)
    until_proven(deployed)
    assert not deploy(deployed, source, progress)
    assert serves_wholly(deployed)
    assert deployed.run(["systemctl", "is-enabled", "jada-recover"]) == b"enabled\n"


def test_a_migration_that_the_release_before_can_not_live_with_is_refused(deployed, source, progress):
    page, before = source.root / "dashboard" / "__main__.py", probed(deployed).current
    whole, table = page.read_text(), "CREATE TABLE IF NOT EXISTS tasks (title TEXT)"
    assert table in whole
    other = whole.replace(table, "DROP TABLE tasks; CREATE TABLE tasks (title TEXT, words TEXT)")
    page.write_text(other.replace("VALUES ('one')", "VALUES ('one', 'two')"))
    try:
        with pytest.raises(CommandError, match=r"(?s)can't live with it:\nPOST /v1/tasks answers 500.*Nothing was"):
            deploy(deployed, source, progress)
        assert probed(deployed).current == before
        page.write_text(whole.replace(table, f"{table}; CREATE TABLE IF NOT EXISTS more (name TEXT)"))
        assert deploy(deployed, source, progress)
    finally:
        page.write_text(whole)
    left = "ls /run/systemd/system | grep trial; ls -d /opt/jada-agent/trial 2>/dev/null || true"
    assert deployed.run(["sh", "-c", left]) == b""
    assert deployed.run(["python3", "-c", COUNT]) == b"0\n"


COUNT = """
import sqlite3
with sqlite3.connect("/var/lib/jada-dashboard/queue.db") as queue:
    print(*queue.execute("SELECT count(*) FROM tasks").fetchone())
"""


SYNC = """
import pathlib, sys
assert "--dry-run" in sys.argv and pathlib.Path.cwd().parent.parent.name == "releases"
if pathlib.Path("/var/lib/jada-sync/signed-out").exists():
    sys.exit("the token is dead")
"""


def test_the_syncs_dry_run_refuses_a_release_only_if_it_passed_before(deployed, source, progress):
    sync, signed_out = source.root / "sync" / "__main__.py", "/var/lib/jada-sync/signed-out"
    whole = sync.read_text()
    try:
        sync.write_text(SYNC)
        deploy(deployed, source, progress)
        until_proven(deployed)
        sync.write_text("raise SystemExit('the sheet is not mine')\n")
        with pytest.raises(CommandError, match=r"(?s)the sync's dry run passes with .*the sheet is not mine"):
            deploy(deployed, source, progress)
        deployed.run(["touch", signed_out])
        assert deploy(deployed, source, progress)
    finally:
        deployed.run(["rm", "-f", signed_out])
        sync.write_text(whole)


def test_a_watched_release_gives_way_to_the_next_deploy(deployed, source, progress, agent):
    watched = replace(source, settings=structs.replace(source.settings, proven_s=60))
    agent.write_text(agent.read_text() + "# watched\n")
    deploy(deployed, watched, progress)
    first = probed(deployed)
    assert (first.deploying, first.pending) == (True, first.current)
    assert not deploy(deployed, watched, progress)
    # One that brings back something else ends the watch as well, and makes good for it.
    deployed.run(["chmod", "644", "/home/jada/secrets/bookings_token"])
    assert deploy(deployed, source, progress)
    until_proven(deployed)
    assert probed(deployed).proven[0] == first.current
    agent.write_text(agent.read_text() + "# and again\n")
    deploy(deployed, source, progress)
    until_proven(deployed)
    assert probed(deployed).proven[0] == probed(deployed).current != first.current


def test_what_is_watched_is_undone_when_an_operator_asks_for_it(deployed, source, progress, agent):
    before, run = probed(deployed).current, installer.new_run()
    agent.write_text(agent.read_text() + "# undone\n")
    watched = replace(source, settings=structs.replace(source.settings, proven_s=90))
    assert "the host watches it" in deploy(deployed, watched, progress, Errand(run=run))
    assert deployed.program("cancel", {"run": "another"}) == {"stopped": False}
    assert deployed.program("cancel", {"run": run}) == {"stopped": True}
    with pytest.raises(CommandError, match=r"(?s)asked to stop.*last proven release, .*, is back and healthy"):
        follow(deployed, run, progress, Errand(), until_deployed=False)
    assert probed(deployed).current == before
    until_idle(deployed)
    assert deployed.program("cancel", {"run": run}) == {"stopped": False}


LEFT_BY_DPKG = """
dpkg --remove bubblewrap
dpkg-query --status less | sed 's/^Status: .*/Status: install ok half-configured/' >/var/lib/dpkg/updates/0001
echo >>/var/lib/dpkg/updates/0001
"""


def test_a_dpkg_that_was_ended_halfway_does_not_stop_the_next_deploy(deployed, source, progress):
    deployed.run(["sh", "-c", LEFT_BY_DPKG])
    assert deploy(deployed, source, progress)
    assert b"Status: install ok installed" in deployed.run(["dpkg-query", "--status", "bubblewrap"])


def test_the_way_back_is_to_what_was_proven_and_the_host_keeps_who_went_there(deployed, source, progress, agent):
    first = probed(deployed).current
    agent.write_text(agent.read_text() + "# second\n")
    deploy(deployed, source, progress, Errand(who="ann@desk"))
    until_proven(deployed)
    second = probed(deployed).current
    assert "deployed" in roll_back(deployed, source, None, progress, Errand(who="bob@desk"))
    until_proven(deployed)
    assert probed(deployed).current == first
    assert serves_wholly(deployed)
    back, there = deployed.program("history", {"last": 2})
    assert [back[key] for key in ("who", "before", "release")] == ["bob@desk", second, first]
    assert [there[key] for key in ("who", "release")] == ["ann@desk", second]
    assert [each["outcome"]["proven"] for each in (back, there)] == [first, second]
    assert roll_back(deployed, source, first, progress, Errand()) == "nothing changed, nothing restarted"
    with pytest.raises(CommandError, match=r"(?s)no whole release never; besides the current one it has .*" + second):
        roll_back(deployed, source, "never", progress, Errand())


def test_a_plan_that_the_host_left_behind_is_refused(deployed, source, progress, agent):
    agent.write_text(agent.read_text() + "# later\n")
    prepared = prepare(deployed, source, progress)
    uploaded = upload(deployed, prepared, progress)
    stale = orders(replace(prepared.plan, after="an earlier one"), health(source), **uploaded)
    with pytest.raises(CommandError, match=r"the host changed since the plan: deploy .* was carried out meanwhile"):
        install(deployed, stale, progress, Errand())
    stale = orders(replace(prepared.plan, seen="an earlier one"), health(source), **uploaded)
    with pytest.raises(CommandError, match=r"the host changed since the plan: current was an earlier one"):
        install(deployed, stale, progress, Errand())
