"""The units: as deployed, in force, running; a small daemon, and a dashboard that answers."""

import json
import shlex
from pathlib import PurePosixPath

import pytest

from provision.onhost.pauses import DROP_INS
from provision.release.plan import pause_lines
from provision.system import notify
from provision.system.units import SERVICES, TEMPLATES, UNITS

DAEMON_LIMIT_KB = 30 * 1024
API_LIBRARIES = ("anthropic", "jiter", "pydantic_core")
"""The client of the Messages API, and the compiled libraries that importing it would map."""


STATE = ("ActiveState", "UnitFileState", "FragmentPath", "DropInPaths", "NeedDaemonReload")


@pytest.fixture(scope="module")
def shown(out):
    """The state of each of our units as systemd has it in force, asked for once: each question takes a session."""
    said = out("systemctl", "show", *UNITS, f"--property={','.join(STATE)}").split("\n\n")
    return {unit: dict(map(_pair, lines.splitlines())) for unit, lines in zip(UNITS, said, strict=True)}


def _pair(line):
    return line.split("=", 1)


def _state(shown, unit, *names):
    return {name: shown[unit][name] for name in names}


@pytest.fixture(scope="module")
def awake(probed):
    """Skip, and say so, for a unit that is paused."""

    def require(unit):
        if unit in probed.paused:
            pytest.skip(next(pause_lines({unit: probed.paused[unit]})))

    return require


def test_what_is_paused_does_not_run(probed, shown):
    # What else a hand left among the words is no unit of ours, and holds none up.
    running = {unit: shown[unit]["ActiveState"] for unit in probed.paused if unit in shown}
    assert not [unit for unit, state in running.items() if state not in ("inactive", "failed")]


@pytest.mark.parametrize("unit", SERVICES)
def test_services_run_and_start_at_boot(shown, awake, unit):
    awake(unit)
    state = _state(shown, unit, "ActiveState", "UnitFileState")
    assert state == {"ActiveState": "active", "UnitFileState": "enabled"}


@pytest.mark.parametrize("unit", UNITS)
def test_no_unit_was_changed_by_hand(shown, unit):
    state = _state(shown, unit, "FragmentPath", "DropInPaths", "NeedDaemonReload")
    drop_in = DROP_INS.get(unit, "")
    expected = {"FragmentPath": f"/etc/systemd/system/{unit}", "DropInPaths": drop_in, "NeedDaemonReload": "no"}
    assert state == expected


@pytest.fixture(scope="module")
def digests(host):
    """The SHA-256 of each unit's file that is there."""
    files = [f"/etc/systemd/system/{unit}" for unit in (*UNITS, *TEMPLATES)]
    lines = host.run(f"sha256sum {shlex.join(files)}").stdout.splitlines()
    return {path.rpartition("/")[2]: digest for digest, path in map(str.split, lines)}


@pytest.mark.parametrize("unit", [*UNITS, *TEMPLATES])
def test_units_are_the_ones_of_the_release(digests, manifest, unit):
    assert digests.get(unit) == manifest["files"][f"units/{unit}"], f"{unit} was changed by hand"


PROCESSES = """
import json, pathlib, subprocess, sys
def seen(unit):
    pid = subprocess.check_output(["systemctl", "show", "--property=MainPID", "--value", unit], text=True).strip()
    at = pathlib.Path("/proc", pid)
    try:
        rolled = dict(line.split(":", 1) for line in (at / "smaps_rollup").read_text().splitlines()[1:])
        names = [pair.split("=")[0] for pair in (at / "environ").read_text(errors="replace").split(chr(0))]
        found = {"user": at.owner(), "folder": str((at / "cwd").readlink()), "maps": (at / "maps").read_text()}
    except OSError:
        return None
    return {"pid": pid, **found, "environment": names, "pss_kb": int(rolled["Pss"].split()[0])}
print(json.dumps({unit: seen(unit) for unit in sys.argv[1:]}))
"""


@pytest.fixture(scope="module")
def processes(out, working):
    """The process of each service that has one, as the kernel has it; of its environment the names only."""
    found = json.loads(out("python3", "-c", PROCESSES, *working))
    return {unit: process for unit, process in found.items() if process}


def _of(processes, unit):
    assert unit in processes, f"{unit} does not run"
    return processes[unit]


@pytest.mark.parametrize(
    ("unit", "user"),
    [
        ("jada-agent.service", "jada"),
        ("jada-dashboard.service", "jada-dashboard"),
        ("jada-notify.service", "jada-notify"),
    ],
)
def test_services_run_as_their_users_from_a_release_that_is_there(processes, awake, unit, user):
    awake(unit)
    process = _of(processes, unit)
    assert process["user"] == user
    assert process["folder"].startswith("/opt/jada-agent/releases/")
    assert not process["folder"].endswith("(deleted)")


def test_the_idle_daemon_is_small(processes, awake):
    awake("jada-agent.service")
    assert _of(processes, "jada-agent.service")["pss_kb"] < DAEMON_LIMIT_KB


def test_the_daemon_never_imports_the_api_client(processes, awake):
    awake("jada-agent.service")
    maps = _of(processes, "jada-agent.service")["maps"]
    assert [name for name in API_LIBRARIES if name in maps] == []


@pytest.fixture(scope="module")
def working(probed):
    """The services that are to run: those that are not paused."""
    return [unit for unit in SERVICES if unit not in probed.paused]


def test_no_secret_is_in_a_services_environment(processes):
    for process in processes.values():
        names = process["environment"]
        assert not [name for name in names if "TOKEN" in name or "SECRET" in name or "KEY" in name]


@pytest.fixture(scope="module")
def page(settings):
    """The dashboard's settings."""
    return settings.get("dashboard", {})


QUEUE = "queue.sock"
PAGE = "page.sock"
LOGIN = ""
"""Whoever logged in."""
QUEUES = [
    ("root", "/v1/tasks", "200"),
    ("root", "/", "401"),
    ("jada", "/v1/tasks", "403"),
    ("jada", "/sign-in", "403"),
    ("jada-sync", "/v1/tasks", "403"),
    ("jada-sync", "/v1/sync-runs", "403"),
    ("jada-sync", "/readyz", "200"),
    ("jada-notify", "/v1/tasks", "403"),
    ("nobody", "/readyz", "shut"),
]
PAGES = [
    ("root", "/v1/tasks", "403"),
    ("root", "/sign-in", "200"),
    ("jada", "/sign-in", "403"),
    ("nobody", "/", "shut"),
]
ASK = """
import json, os, pwd, socket, sys
def answer(at, path):
    with socket.socket(socket.AF_UNIX) as queue:
        try:
            queue.connect(at)
        except PermissionError:
            return "shut"
        except OSError as error:
            return str(error)
        queue.sendall(b"GET " + path.encode() + b" HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n")
        return queue.recv(12).decode()[-3:]
def asked(user, at, path):
    try:
        account = pwd.getpwnam(user or os.environ["SUDO_USER"])
    except KeyError:
        return "no such user"
    read, write = os.pipe()
    if not os.fork():
        try:
            os.initgroups(account.pw_name, account.pw_gid)
            os.setgid(account.pw_gid)
            os.setuid(account.pw_uid)
            os.write(write, answer(at, path).encode())
        finally:
            os._exit(0)
    os.close(write)
    with open(read) as said:
        return said.read()
print(json.dumps([asked(*each) for each in json.loads(sys.argv[1])]))
"""


@pytest.fixture(scope="module")
def answers(out, page):
    """What users of the host are answered at the queue's sockets: a process of each user asks, one after another."""
    socket = PurePosixPath(page.get("socket", f"/run/jada-dashboard/{QUEUE}"))
    place = {QUEUE: str(socket), PAGE: str(socket.with_name(PAGE))}
    questions = [(user, QUEUE, path) for user, path in (("root", "/readyz"), (LOGIN, "/v1/tasks"))]
    questions += [(user, at, path) for at, asked in ((QUEUE, QUEUES), (PAGE, PAGES)) for user, path, _ in asked]
    words = json.dumps([(user, place[at], path) for user, at, path in questions])
    return dict(zip(questions, json.loads(out("python3", "-c", ASK, words)), strict=True))


def test_the_queue_is_written_and_read_back(answers, awake):
    awake("jada-dashboard.service")
    assert answers["root", QUEUE, "/readyz"] == "200"


def test_no_service_listens_on_a_port_but_the_one_for_other_hosts(out, processes, page):
    pids = [process["pid"] for process in processes.values()]
    listening = out("ss", "-H", "-l", "-n", "-t", "-u", "-p").splitlines()
    ours = [line.split()[4] for line in listening if any(f"pid={pid}," in line for pid in pids)]
    assert ours == ([page["listen"]] if page.get("listen") else [])


def test_every_notification_target_has_an_address_and_one_took_a_test_there(host, out, page):
    targets = page.get("notify", {}).get("targets", [])
    if not targets:
        pytest.skip("nothing is sent to anyone: no notification target is set up (dashboard.notify.targets)")
    # Names only: the addresses are secrets.
    names = out("sed", "-n", r"s/^\s*\([a-z0-9-]*\)\s*=.*/\1/p", "/home/jada/secrets/notify_targets").split()
    assert set(targets) <= set(names), "`fab secrets` gives the secret notify_targets a line for each target"
    # A test that was taken at another address says nothing of this one.
    took = host.run(shlex.join(notify.took_test())).stdout.split()
    assert {*targets} & {*took}, "no target took a test since it has its address: `fab notify`"


@pytest.mark.parametrize(("user", "path", "answer"), QUEUES)
def test_the_queues_socket_knows_who_calls(answers, user, path, answer):
    assert answers[user, QUEUE, path] == answer


@pytest.mark.parametrize(("user", "path", "answer"), PAGES)
def test_the_pages_socket_has_no_api_and_is_for_operators(answers, user, path, answer):
    assert answers[user, PAGE, path] == answer


def test_the_login_user_is_an_operator(out, answers):
    user = out("sh", "-c", "echo $SUDO_USER")
    assert answers[LOGIN, QUEUE, "/v1/tasks"] == "200", (
        f"{user} is not in the groups jada-queue and jada-operators: `fab deploy`"
    )
