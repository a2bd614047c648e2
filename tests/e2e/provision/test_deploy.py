"""Deploys to a real host: what changes, what restarts, what a broken one leaves."""

import shutil
from dataclasses import replace

import pytest

from local.process import wait_until
from provision.desired import Difference, file_row
from provision.errors import CommandError
from provision.reach.connection import connected
from provision.release.deploy import deploy, install, prepare
from provision.release.installer import Errand
from provision.release.plan import Health, orders
from provision.system.desired import ConfigFile
from provision.system.secrets import FOLDER, HostSecret, credential_lines
from tests.e2e.provision.host import serves_wholly, until_proven

pytestmark = pytest.mark.root
SERVICES = ("jada-dashboard.service", "jada-agent.service", "jada-notify.service")


def _runs(box):
    """Unit → the id of its present run: another one means that it was restarted."""
    return {unit: box.run(["systemctl", "show", unit, "--property=InvocationID", "--value"]) for unit in SERVICES}


def _append(path, text="\n# changed\n"):
    path.write_text(path.read_text() + text)


def test_a_host_without_secrets_is_refused_before_anything_is_sent(box, source, progress):
    if b"agent" in box.run(["ls", "/opt"]):
        pytest.fail("this test must be the first on its host")
    with pytest.raises(CommandError, match="lacks secrets: anthropic_api_key"):
        deploy(box, source, progress)
    assert b"jada-agent" not in box.run(["ls", "/opt"])


def test_the_first_deploy_makes_a_worker_whose_tools_run_in_a_sandbox(deployed):
    assert deployed.run(["systemctl", "is-active", *SERVICES]).split() == [b"active"] * len(SERVICES)
    assert deployed.run(["stat", "-c", "%U", "/var/lib/jada-agent/made-in-a-sandbox"]) == b"jada\n"
    # And the proxy's listener is made inside one, by the worker's user under the unit's walls.
    assert deployed.run(["cat", "/var/lib/jada-agent/went-out"]) == b"hello\n"


def test_the_login_user_becomes_an_operator_of_the_queue_and_again_when_it_was_taken_out(deployed, source, progress):
    groups = {b"jada-queue", b"jada-operators"}
    assert groups <= set(deployed.run(["id", "-nG", "admin"]).split())
    deployed.run(["gpasswd", "--delete", "admin", "jada-operators"])
    assert deploy(deployed, source, progress)
    assert groups <= set(deployed.run(["id", "-nG", "admin"]).split())


def test_a_second_deploy_changes_nothing_and_restarts_nothing(deployed, source, progress):
    before = _runs(deployed)
    assert not deploy(deployed, source, progress)
    assert _runs(deployed) == before


def test_only_the_service_whose_code_changed_restarts(deployed, source, progress):
    before = _runs(deployed)
    _append(source.root / "agent" / "__main__.py")
    assert deploy(deployed, source, progress)
    after = _runs(deployed)
    assert [unit for unit in SERVICES if before[unit] != after[unit]] == ["jada-agent.service"]


def test_a_settings_section_restarts_only_its_part(deployed, source, progress):
    before = _runs(deployed)
    text = source.file.read_text()
    source.file.write_text("[agent]\n[notify]\npoll_seconds = 6\n[deploy]\n")
    try:
        deploy(deployed, source, progress)
        after = _runs(deployed)
    finally:
        source.file.write_text(text)
    assert [unit for unit in SERVICES if before[unit] != after[unit]] == ["jada-notify.service"]


def test_what_tools_may_read_is_there_for_the_worker_and_a_change_of_it_restarts_no_other(deployed, source, progress):
    text, folder = source.file.read_text(), source.file.parent / "handbook"
    folder.mkdir()
    try:
        (folder / "price").write_text("80\n")
        source.file.write_text(text.replace("[agent]\n", '[agent]\nreference = "handbook"\n'))
        deploy(deployed, source, progress)
        before = _runs(deployed)
        (folder / "price").write_text("90\n")
        assert deploy(deployed, source, progress)
        after = _runs(deployed)
        # By the way that the worker goes: from where its settings are, as its own user.
        look = "runuser -u jada -- cat $(dirname $(readlink -f /etc/jada/jada.toml))/../reference/handbook/price"
        assert deployed.run(["sh", "-c", look]) == b"90\n"
    finally:
        source.file.write_text(text)
        shutil.rmtree(folder)
    assert [unit for unit in SERVICES if before[unit] != after[unit]] == ["jada-agent.service"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("agent", "import json", "raise SystemExit('no way')\nimport json"), "did not start.*no way"),
        (("dashboard", "response(200)", "response(500 if 'ready' in self.path else 200)"), "HTTP Error 500"),
    ],
    ids=["one that does not start", "one that is never ready"],
)
def test_a_broken_release_is_taken_back_and_the_last_proven_one_serves(deployed, hasty, progress, change, said):
    part, old, new = change
    file, current = hasty.root / part / "__main__.py", deployed.run(["readlink", "/opt/jada-agent/current"])
    whole = file.read_text()
    assert old in whole
    file.write_text(whole.replace(old, new, 1))
    try:
        with pytest.raises(CommandError, match=f"(?s){said}.*last proven release, .*, is back and healthy"):
            deploy(deployed, hasty, progress)
    finally:
        file.write_text(whole)
    assert deployed.run(["readlink", "/opt/jada-agent/current"]) == current
    assert serves_wholly(deployed)


def test_a_queue_that_does_not_start_is_found_out_beside_the_one_that_runs(deployed, source, progress):
    page, before = source.root / "dashboard" / "__main__.py", _runs(deployed)
    whole = page.read_text()
    page.write_text("raise SystemExit('no way')\n")
    try:
        with pytest.raises(CommandError, match=r"(?s)can't work on a copy of the queue:.*no way.*Nothing was switched"):
            deploy(deployed, source, progress)
    finally:
        page.write_text(whole)
    assert _runs(deployed) == before


_WITHOUT_A_UNIT = """
import json, pathlib
release = pathlib.Path("/opt/jada-agent/current")
manifest = json.loads((release / "manifest.json").read_text())
del manifest["units"]["jada-notify.service"], manifest["files"]["units/jada-notify.service"]
(release / "units/jada-notify.service").unlink()
(release / "sealed.json").unlink()
(release / "manifest.json").write_text(json.dumps(manifest))
"""


def test_a_release_that_is_older_than_a_unit_is_gone_back_to_without_it(deployed, source, progress):
    agent = source.root / "agent" / "__main__.py"
    whole = agent.read_text()
    deployed.run(["python3", "-c", _WITHOUT_A_UNIT])
    agent.write_text("raise SystemExit('no way')\n")
    # Every unit is to restart, also the one that the release before lacks.
    _append(source.root / "wire" / "__init__.py")
    try:
        with pytest.raises(CommandError, match=r"last proven release, .*, is back and healthy"):
            deploy(deployed, source, progress)
    finally:
        agent.write_text(whole)
    assert deployed.run(["sh", "-c", "systemctl is-active jada-notify || true"]) == b"inactive\n"
    deploy(deployed, source, progress)
    assert deployed.run(["systemctl", "is-active", *SERVICES]).split() == [b"active"] * len(SERVICES)


def test_nothing_is_switched_to_until_a_notification_target_took_a_test(deployed, source, progress):
    sender, path = source.root / "notify" / "__main__.py", f"{FOLDER}/notify_targets"
    whole, current = sender.read_text(), deployed.run(["readlink", "/opt/jada-agent/current"])
    needs = replace(source, targets=("hook",), tested=True)
    with pytest.raises(CommandError, match="the host has no notify_targets"):
        deploy(deployed, needs, progress)
    deployed.upload(path, b"hook = json://127.0.0.1:9/\n")
    try:
        sender.write_text(f"{whole}print('hook: refused')\nraise SystemExit(1)\n")
        with pytest.raises(CommandError, match=r"(?s)no notification target took a test.*hook: refused"):
            deploy(deployed, needs, progress)
        assert deployed.run(["readlink", "/opt/jada-agent/current"]) == current
        sender.write_text(f"{whole}# took it\n")
        assert deploy(deployed, needs, progress)
        assert deployed.run(["readlink", "/opt/jada-agent/current"]) != current
    finally:
        sender.write_text(whole)
        deployed.run(["rm", "-f", path])


def test_a_failed_service_is_started_again_by_the_next_deploy(deployed, source, progress):
    deployed.run(["systemctl", "stop", "jada-agent.service"])
    assert deploy(deployed, source, progress)
    assert deployed.run(["systemctl", "is-active", "jada-agent.service"]) == b"active\n"


def test_a_unit_link_changed_by_hand_is_put_back(deployed, source, progress):
    path = "/etc/systemd/system/jada-agent.service"
    deployed.run(["sh", "-c", f"rm {path} && cp /opt/jada-agent/current/units/jada-agent.service {path}"])
    assert deploy(deployed, source, progress)
    assert deployed.run(["readlink", path]) == b"/opt/jada-agent/current/units/jada-agent.service\n"


def test_a_unit_and_a_secrets_mode_changed_by_hand_are_put_right(deployed, source, progress):
    unit, secret = "/opt/jada-agent/current/units/jada-agent.service", "/home/jada/secrets/bookings_token"
    deployed.run(["sh", "-c", f"echo '# by hand' >>{unit}; chmod 644 {secret}; chmod 755 /home/jada/secrets"])
    assert deploy(deployed, source, progress)
    assert b"by hand" not in deployed.run(["cat", unit])
    assert deployed.run(["stat", "-c", "%a", secret, "/home/jada/secrets"]).split() == [b"600", b"700"]
    assert not deploy(deployed, source, progress)


def test_a_second_deploy_at_the_same_time_is_refused(deployed, source, progress):
    _append(source.root / "wire" / "__init__.py")
    deployed.run(["systemd-run", "--collect", "--unit=jada-deploy", "sleep", "1000"])
    another = "/opt/jada-agent/deploys/another"
    deployed.run(["sh", "-c", f"mkdir {another} && touch {another}/orders.json {another}/events"])
    try:
        with pytest.raises(CommandError, match=r"(?s)another deploy is at work.*fab attach"):
            deploy(deployed, source, progress)
    finally:
        deployed.run(["systemctl", "stop", "jada-deploy"])
        deployed.run(["rm", "-r", another])
    assert deploy(deployed, source, progress)


def test_old_releases_go_and_those_that_still_run_stay(deployed, source, progress):
    for _ in range(4):
        _append(source.root / "agent" / "__main__.py")
        deploy(deployed, source, progress)
        until_proven(deployed)
    names = deployed.run(["ls", "/opt/jada-agent/releases"]).decode().split()
    running = deployed.run(["sh", "-c", "readlink /proc/$(systemctl show -P MainPID jada-dashboard)/cwd"]).decode()
    assert len(names) <= source.settings.keep_releases + 1
    assert running.split("/")[4] in names


def test_services_come_back_after_a_reboot(cloud, deployed):
    cloud.reboot()

    def back():
        try:
            with connected(cloud.access(), 15) as again:
                return again.run(["systemctl", "is-active", *SERVICES]).split() == [b"active"] * len(SERVICES)
        except CommandError:
            return False

    assert wait_until(back, seconds=60)


@pytest.mark.parametrize("line", ["CASignatureAlgorithms ssh-ed25519", "TrustedUserCAKeys none", "NoSuchOption yes"])
def test_an_sshd_drop_in_that_would_lock_everyone_out_is_taken_back(cloud, deployed, source, progress, line):
    file = ConfigFile("/etc/ssh/sshd_config.d/00-wrong.conf", f"{line}\n", "sshd")
    plan = replace(prepare(deployed, source, progress).plan, differing=(Difference(file_row(file), None),))
    health = Health("unix:/run/jada-dashboard/queue.sock", 10, 1, 2)
    with pytest.raises(CommandError, match="would lock us out, and was not put there"):
        install(deployed, orders(plan, health, wheels=None, archive=None), progress, Errand())
    assert b"00-wrong" not in deployed.run(["ls", "/etc/ssh/sshd_config.d"])
    with connected(cloud.access(), 15) as again:
        assert again.run(["id", "-un"]) == b"root\n"


def test_a_unit_starts_without_an_optional_secret_and_reads_one_that_is_there(box):
    optional = HostSecret("proxy_password", "made up by this test", ("optional.service",), optional=True)
    lines = credential_lines("optional.service", {optional.name: optional})
    service = ["[Service]", "Type=oneshot", *lines, f"ExecStart=cp %d/{optional.name} /run/optional-secret"]
    files = f"{FOLDER}/{optional.name}", "/run/systemd/system/optional.service", "/run/optional-secret"
    box.run(["tee", files[1]], "\n".join(service).encode())

    def read():
        box.run(["systemctl", "start", "optional.service"])
        return box.run(["cat", "/run/optional-secret"])

    try:
        box.run(["systemctl", "daemon-reload"])
        assert read() == b"\n"
        box.upload(files[0], b"there")
        assert read() == b"there"
    finally:
        box.run(["rm", "-f", *files])
        box.run(["systemctl", "daemon-reload"])
