"""A host that rests: no deploy, boot or clock starts what is paused, and what does not hold is paused again."""

import pytest

from local.process import wait_until
from provision.commands.pause import pause_host, resume_host
from provision.commands.status import host_lines
from provision.errors import CommandError
from provision.onhost.pauses import ALL, WORK
from provision.reach.connection import connected
from provision.release.deploy import deploy, prepare
from tests.e2e.provision.host import probed, until_proven

pytestmark = pytest.mark.root
WORKER = "jada-agent.service"


def state(box, unit=WORKER):
    return box.run(["systemctl", "show", unit, "--property=ActiveState", "--value"]).decode().strip()


@pytest.fixture
def paused(cloud, deployed, source, progress):
    yield pause_host(deployed, progress, WORK, "the box is replaced")
    with connected(cloud.access(), 15) as box:  # the test's own may have ended with its boot
        box.run(["rm", "-rf", "/opt/jada-agent/paused"])
        deploy(box, source, progress)
        until_proven(box)


def test_it_rests_through_a_deploy_and_its_clock(paused, deployed, cloud, source, progress):
    assert sorted(paused) == sorted(WORK)
    (source.root / "agent/__main__.py").write_text((source.root / "agent/__main__.py").read_text() + "\n# newer\n")
    plan = prepare(deployed, source, progress).plan
    assert (WORKER in plan.restart, plan.paused[WORKER]["why"]) == (False, "the box is replaced")
    word = deploy(deployed, source, progress)
    assert f"but for what is paused and did not run: {WORKER}" in word
    until_proven(deployed)
    deployed.run(["systemctl", "start", "port-sheet-sync.service"])
    said = deployed.run(["sh", "-c", "journalctl --sync && journalctl --unit=port-sheet-sync --lines=1"])
    assert b"skipped because of an unmet condition check" in said
    assert state(deployed) == "inactive"
    seen = probed(deployed)
    assert any("paused by" in line and "(the box is replaced)" in line for line in host_lines(seen))


def test_it_rests_through_a_boot(paused, deployed, cloud):
    cloud.reboot()

    def as_before():
        try:
            with connected(cloud.access(), 15) as again:
                again.run(["sh", "-c", "systemctl is-system-running --wait || true"])
                return (state(again), state(again, "jada-dashboard.service")) == ("inactive", "active")
        except CommandError:
            return False

    assert wait_until(as_before, seconds=60)


def test_it_works_again_when_it_is_told_to(paused, deployed, source, progress):
    assert WORKER in resume_host(deployed, source, progress)
    assert state(deployed) == "active"
    assert probed(deployed).paused == {}


def test_what_does_not_stay_up_is_paused_again_and_the_first_word_is_kept(paused, deployed, source, progress):
    good = (source.root / "agent/__main__.py").read_text()
    (source.root / "agent/__main__.py").write_text("raise SystemExit('no way')\n")
    try:
        deploy(deployed, source, progress)
        until_proven(deployed)
        with pytest.raises(CommandError, match=r"paused again: [\s\S]*no way"):
            resume_host(deployed, source, progress)
        # One that ended by itself before it was stopped counts as failed.
        assert state(deployed) in ("inactive", "failed")
        assert probed(deployed).paused == paused
    finally:
        (source.root / "agent/__main__.py").write_text(good)


def test_after_half_a_restore_it_does_not_work_again(paused, deployed, source, progress):
    deployed.run(["install", "-D", "/dev/null", "/var/lib/jada-restore/unfinished"])
    try:
        with pytest.raises(CommandError, match="stays paused: a restore was cut off"):
            resume_host(deployed, source, progress)
        assert (state(deployed), probed(deployed).paused) == ("inactive", paused)
    finally:
        deployed.run(["rm", "-r", "/var/lib/jada-restore"])


def test_a_host_whose_queue_is_paused_takes_no_deploy(deployed, source, progress):
    pause_host(deployed, progress, ALL, "")
    try:
        (source.root / "dashboard/__main__.py").write_text(
            (source.root / "dashboard/__main__.py").read_text() + "\n# newer\n"
        )
        with pytest.raises(CommandError, match="its queue is paused"):
            deploy(deployed, source, progress)
        assert "jada-dashboard.service" in resume_host(deployed, source, progress)
    finally:
        deployed.run(["rm", "-rf", "/opt/jada-agent/paused"])
