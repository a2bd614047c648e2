"""The units: as deployed, in force, running; a small daemon, and a dashboard that answers."""

import shlex
import tomllib
from pathlib import PurePosixPath

import pytest

from provision.onhost.pauses import DROP_INS
from provision.release.plan import pause_lines
from provision.system import notify
from provision.system.units import SERVICES, TEMPLATES, UNITS

DAEMON_LIMIT_KB = 30 * 1024
API_LIBRARIES = ("anthropic", "jiter", "pydantic_core")
"""The client of the Messages API, and the compiled libraries that importing it would map."""


@pytest.fixture(scope="module")
def awake(probed):
    """Skip, and say so, for a unit that is paused."""

    def require(unit):
        if unit in probed.paused:
            pytest.skip(next(pause_lines({unit: probed.paused[unit]})))

    return require


def test_what_is_paused_does_not_run(probed, shown):
    running = {unit: shown(unit, "ActiveState")["ActiveState"] for unit in probed.paused}
    assert not [unit for unit, state in running.items() if state not in ("inactive", "failed")]


@pytest.mark.parametrize("unit", SERVICES)
def test_services_run_and_start_at_boot(shown, awake, unit):
    awake(unit)
    state = shown(unit, "ActiveState", "UnitFileState")
    assert state == {"ActiveState": "active", "UnitFileState": "enabled"}


@pytest.mark.parametrize("unit", UNITS)
def test_no_unit_was_changed_by_hand(shown, unit):
    state = shown(unit, "FragmentPath", "DropInPaths", "NeedDaemonReload")
    drop_in = DROP_INS.get(unit, "")
    expected = {"FragmentPath": f"/etc/systemd/system/{unit}", "DropInPaths": drop_in, "NeedDaemonReload": "no"}
    assert state == expected


@pytest.mark.parametrize("unit", [*UNITS, *TEMPLATES])
def test_units_are_the_ones_of_the_release(out, manifest, unit):
    digest = out("sha256sum", f"/etc/systemd/system/{unit}").split()[0]
    assert digest == manifest["files"][f"units/{unit}"], f"{unit} was changed by hand"


@pytest.mark.parametrize(
    ("unit", "user"),
    [
        ("jada-agent.service", "jada"),
        ("jada-dashboard.service", "jada-dashboard"),
        ("jada-notify.service", "jada-notify"),
    ],
)
def test_services_run_as_their_users_from_a_release_that_is_there(out, shown, awake, unit, user):
    awake(unit)
    pid = shown(unit, "MainPID")["MainPID"]
    assert out("stat", "-c", "%U", f"/proc/{pid}") == user
    assert out("readlink", f"/proc/{pid}/cwd").startswith("/opt/jada-agent/releases/")
    assert not out("readlink", f"/proc/{pid}/cwd").endswith("(deleted)")


def test_the_idle_daemon_is_small(out, shown, awake):
    awake("jada-agent.service")
    pid = shown("jada-agent.service", "MainPID")["MainPID"]
    rows = dict(line.split(":", 1) for line in out("cat", f"/proc/{pid}/smaps_rollup").splitlines()[1:])
    assert int(rows["Pss"].split()[0]) < DAEMON_LIMIT_KB


def test_the_daemon_never_imports_the_api_client(out, shown, awake):
    awake("jada-agent.service")
    pid = shown("jada-agent.service", "MainPID")["MainPID"]
    maps = out("cat", f"/proc/{pid}/maps")
    assert [name for name in API_LIBRARIES if name in maps] == []


@pytest.fixture(scope="module")
def working(probed):
    """The services that are to run: those that are not paused."""
    return [unit for unit in SERVICES if unit not in probed.paused]


def test_no_secret_is_in_a_services_environment(out, shown, working):
    for unit in working:
        pid = shown(unit, "MainPID")["MainPID"]
        names = out("sh", "-c", f"tr '\\0' '\\n' </proc/{pid}/environ | cut -d= -f1").split()
        assert not [name for name in names if "TOKEN" in name or "SECRET" in name or "KEY" in name]


@pytest.fixture(scope="module")
def page(out):
    """The dashboard's settings."""
    return tomllib.loads(out("cat", "/etc/jada/jada.toml")).get("dashboard", {})


@pytest.fixture(scope="module")
def ask(out, page):
    """What a user of the host is answered at one of the queue's sockets."""
    queue = PurePosixPath(page.get("socket", "/run/jada-dashboard/queue.sock"))

    def asked(user, path, at="queue.sock"):
        socket = queue if at == "queue.sock" else queue.with_name(at)
        return out("runuser", "-u", user, "--", "python3", "-c", ASK, str(socket), path)

    return asked


def test_the_queue_is_written_and_read_back(ask, awake):
    awake("jada-dashboard.service")
    assert ask("root", "/readyz") == "200"


def test_no_service_listens_on_a_port_but_the_one_for_other_hosts(out, shown, page, working):
    pids = [shown(unit, "MainPID")["MainPID"] for unit in working]
    listening = out("ss", "-H", "-l", "-n", "-t", "-u", "-p").splitlines()
    ours = [line.split()[4] for line in listening if any(f"pid={pid}," in line for pid in pids)]
    assert ours == ([page["listen"]] if page.get("listen") else [])


def test_every_notification_target_has_an_address_and_one_took_a_test_there(host, out):
    targets = tomllib.loads(out("cat", "/etc/jada/jada.toml")).get("dashboard", {}).get("notify", {}).get("targets", [])
    if not targets:
        pytest.skip("nothing is sent to anyone: no notification target is set up (dashboard.notify.targets)")
    # Names only: the addresses are secrets.
    names = out("sed", "-n", r"s/^\s*\([a-z0-9-]*\)\s*=.*/\1/p", "/home/jada/secrets/notify_targets").split()
    assert set(targets) <= set(names), "`fab secrets` gives the secret notify_targets a line for each target"
    # A test that was taken at another address says nothing of this one.
    took = host.run(shlex.join(notify.took_test())).stdout.split()
    assert {*targets} & {*took}, "no target took a test since it has its address: `fab notify`"


ASK = """
import socket, sys
with socket.socket(socket.AF_UNIX) as queue:
    try:
        queue.connect(sys.argv[1])
    except PermissionError:
        sys.exit(print("shut"))
    queue.sendall(b"GET " + sys.argv[2].encode() + b" HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n")
    print(queue.recv(12).decode()[-3:])
"""


@pytest.mark.parametrize(
    ("user", "path", "answer"),
    [
        ("root", "/v1/tasks", "200"),
        ("root", "/", "401"),
        ("jada", "/v1/tasks", "403"),
        ("jada", "/sign-in", "403"),
        ("jada-sync", "/v1/tasks", "403"),
        ("jada-sync", "/v1/sync-runs", "403"),
        ("jada-sync", "/readyz", "200"),
        ("jada-notify", "/v1/tasks", "403"),
        ("nobody", "/readyz", "shut"),
    ],
)
def test_the_queues_socket_knows_who_calls(ask, user, path, answer):
    assert ask(user, path) == answer


@pytest.mark.parametrize(
    ("user", "path", "answer"),
    [("root", "/v1/tasks", "403"), ("root", "/sign-in", "200"), ("jada", "/sign-in", "403"), ("nobody", "/", "shut")],
)
def test_the_pages_socket_has_no_api_and_is_for_operators(ask, user, path, answer):
    assert ask(user, path, "page.sock") == answer


def test_the_login_user_is_an_operator(out, ask):
    user = out("sh", "-c", "echo $SUDO_USER")
    assert ask(user, "/v1/tasks") == "200", f"{user} is not in the groups jada-queue and jada-operators: `fab deploy`"
