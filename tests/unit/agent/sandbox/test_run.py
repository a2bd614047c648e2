"""What a program in the sandbox can and can't do, tried for real."""

import math
import os
import random
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time
import tracemalloc
from multiprocessing import get_context
from pathlib import Path

import pytest

from agent.sandbox.run import Sandbox
from agent.sandbox.waiting import Job
from agent.settings import ToolLimits
from tests.unit.agent.hurried import Hurried

pytestmark = pytest.mark.process

MARK = f"31415.{os.getpid():07}"
"""Seconds that only this test run sleeps: another may look for its own on the same machine."""
USER = 200_000 + os.getpid() % 100_000
"""A user without processes: the kernel counts those of all test runs together."""
FORKS = """
import os, time
children = 0
try:
    while os.fork(): children += 1
    time.sleep(100)
except BlockingIOError: print(children)
"""


def shell(sandbox, command, **options):
    return sandbox.run(Job(["/bin/bash", "-c", command]), **options)


def alive(mark):
    """Processes whose command line holds `mark`."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found += [path] if mark.encode() in path.read_bytes() else []
        except OSError:
            continue
    return found


def until(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not (met := condition()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return met


def test_output_and_exit_code_come_back(sandbox):
    outcome = shell(sandbox, "echo out; echo err >&2; exit 3")
    assert (outcome.head + outcome.tail, outcome.code) == (b"out\nerr\n", 3)


def test_python_works_inside(sandbox):
    outcome = sandbox.run(Job(["/usr/bin/python3", "-c", "import csv, sqlite3, json; print(6 * 7)"]))
    assert outcome.head == b"42\n"


def test_files_written_in_the_workspace_stay(sandbox, workspace):
    shell(sandbox, "echo kept > file; echo gone > /tmp/file")
    assert (workspace / "file").read_text() == "kept\n"
    assert shell(sandbox, "cat /tmp/file").code == 1


@pytest.mark.parametrize(
    "path", ["/etc/shadow", "/etc/jada", "/home", "/root", "/var/lib", "/run/credentials", "/sys", "/proc/1/root/root"]
)
def test_secrets_and_state_of_the_host_are_not_there(sandbox, path):
    assert shell(sandbox, f"ls {path}").code != 0


def test_the_folder_beside_the_workspace_is_not_there(sandbox, workspace):
    (workspace.parent / "journal.jsonl").write_text("secret")
    (workspace / "link").symlink_to(workspace.parent)
    assert b"secret" not in shell(sandbox, f"cat {workspace.parent}/journal.jsonl link/* ../journal.jsonl").head


@pytest.mark.parametrize("path", ["/file", "/usr/file", "/etc/file", "/dev/file"])
def test_only_the_workspace_and_its_own_tmp_can_be_written(sandbox, path):
    assert b"Read-only file system" in shell(sandbox, f"echo x > {path}").head


def test_the_environment_is_clean(sandbox, monkeypatch):
    monkeypatch.setenv("ANTHROPIC_API_KEY", "canary")
    names = {line.split(b"=")[0] for line in shell(sandbox, "env").head.splitlines()}
    assert names == {b"PATH", b"HOME", b"LANG", b"REPORT_FD", b"PWD", b"SHLVL", b"_"}


def test_no_network_is_there_not_even_the_hosts_loopback(sandbox):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert shell(sandbox, f"exec 5<>/dev/tcp/127.0.0.1/{port}").code != 0
    assert shell(sandbox, "ls /sys/class/net || cat /proc/net/dev | grep -c :").head.endswith(b"\n1\n")


def test_the_hosts_processes_are_out_of_sight(sandbox):
    assert shell(sandbox, f"kill -0 {os.getpid()}").code != 0


def test_a_process_that_forked_away_twice_is_gone_after_the_call(sandbox):
    shell(sandbox, f"(setsid sh -c 'setsid sleep {MARK} &' &); until pgrep sleep; do :; done")
    assert until(lambda: not alive(MARK))


def test_output_goes_into_a_file_as_far_as_there_is_room_and_is_not_in_memory(make_sandbox, tmp_path):
    with (tmp_path / "out").open("w+b") as file:
        tracemalloc.start()
        try:
            outcome = make_sandbox().run(Job(["/usr/bin/head", "-c", "20000005", "/dev/zero"]), into=(file, 20_000_000))
            assert tracemalloc.get_traced_memory()[1] < 2_000_000
        finally:
            tracemalloc.stop()
        assert (file.tell(), outcome.head, outcome.left_out, outcome.code) == (20_000_000, bytes(1000), 5, 0)


def test_a_workspace_that_holds_too_much_takes_small_files_only_until_something_is_removed(make_sandbox):
    sandbox = make_sandbox(workspace_mb=10)
    assert shell(sandbox, "head -c 11M /dev/zero >large").crowded
    again = shell(sandbox, "echo small >small; head -c 1M /dev/zero >more; rm large; cat small")
    assert (again.crowded, again.head.endswith(b"small\n")) == (False, True)
    assert shell(sandbox, "stat -c %s more; head -c 1M /dev/zero >more && stat -c %s more").head == b"65536\n1048576\n"


def test_a_call_ends_when_its_time_is_up_and_keeps_what_it_said(hurried):
    outcome = shell(hurried(), f"echo before; sleep {MARK} & : >begun; sleep {MARK}")
    assert (outcome.head, outcome.code) == (b"before\n", None)
    assert until(lambda: not alive(MARK))


def test_a_drain_ends_a_call_before_its_own_time(workspace):
    began = time.monotonic()
    sandbox = Sandbox(workspace, ToolLimits(seconds=600), time.monotonic, lambda: began + 1)
    assert shell(sandbox, "sleep 60").code is None  # by itself it ends with 0


def test_a_sandbox_is_tried_in_full_also_when_a_drain_has_begun(make_sandbox):
    sandbox = make_sandbox(until=0.0)
    assert shell(sandbox, "true").code is None


def test_a_call_that_ends_while_its_sandbox_is_being_made_leaves_no_process(workspace):
    """bubblewrap's second process waits for its uid map, and waits for ever when only the first one is killed."""
    moments, end = random.Random(1), [math.inf]
    sandbox = Sandbox(workspace, ToolLimits(), time.monotonic, lambda: end[0])
    for _ in range(150):
        end[0] = time.monotonic() + moments.uniform(0, 0.02)
        shell(sandbox, "sleep 60")
    try:
        assert until(lambda: not alive(str(workspace)))
    finally:
        for left in alive(str(workspace)):
            os.kill(int(left.parent.name), signal.SIGKILL)


def test_a_sandbox_made_ahead_that_is_never_used_leaves_no_process_and_no_folder(sandbox, workspace):
    sandbox.prepare()
    assert until(lambda: alive(str(workspace)))
    sandbox.close()
    assert until(lambda: not alive(str(workspace)))
    assert list(workspace.with_name(f".{workspace.name}.calls").iterdir()) == []


def test_one_made_ahead_ends_with_the_session_that_never_used_it(workspace):
    program = (
        "import sys, time; from pathlib import Path; from agent.settings import ToolLimits\n"
        "from agent.sandbox.run import Sandbox\n"
        "sandbox = Sandbox(Path(sys.argv[1]), ToolLimits(), time.monotonic, lambda: float('inf'))\n"
        "sandbox.prepare(); print('ready', flush=True); sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", program, str(workspace)]
    for end in (subprocess.Popen.kill, lambda process: process.stdin.close()):
        session = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        session.stdout.readline()
        assert until(lambda: len(alive(str(workspace))) > 1)
        end(session)
        session.wait()
        assert until(lambda: not alive(str(workspace)))


def test_one_made_ahead_holds_nothing_of_the_call_before(sandbox):
    leave = "echo secret >/tmp/x; echo secret >/dev/shm/x; sleep 100 & echo secret >/proc/self/comm"
    sandbox.run(Job(["/bin/bash", "-c", leave], stdin=b"secret", files={"state": b"secret", "other": b"secret"}))
    sandbox.prepare()
    seen = shell(sandbox, "ls -A /tmp /dev/shm; ls /run/jada; cat /run/jada/* /proc/*/comm; pgrep sleep")
    assert seen.head.split()[:4] == [b"/dev/shm:", b"/tmp:", b"argv", b"stdin"]
    assert b"secret" not in seen.head + seen.tail


def test_one_made_ahead_sees_what_was_written_to_the_workspace_since(sandbox, workspace):
    sandbox.prepare()
    (workspace / "later").write_text("here\n")
    assert shell(sandbox, "cat later").head == b"here\n"


def test_a_job_gets_a_fresh_sandbox_where_the_one_made_ahead_died_at_any_moment_and_nothing_of_that_is_left(workspace):
    """As the kernel may do when memory runs out, which takes them first: bubblewrap's second process is not told."""
    moments, sandbox = random.Random(1), Sandbox(workspace, ToolLimits(), time.monotonic, lambda: math.inf)
    for _ in range(25):
        sandbox.prepare()
        first = sandbox._ahead.process.pid
        time.sleep(moments.uniform(0, 0.006))
        os.kill(first, signal.SIGKILL)
        assert until(lambda first=first: stat(first)[0] == "Z")
        assert shell(sandbox, "echo ran").head == b"ran\n"
    assert until(lambda: not alive(str(workspace)))


def test_one_that_dies_when_its_job_has_begun_ends_the_call_at_once(workspace):
    moments, dies = random.Random(1), []

    def clock():
        # Asked for the first time when the job has begun.
        while dies:
            os.kill(dies.pop(), signal.SIGKILL)
        return time.monotonic()

    sandbox = Sandbox(workspace, ToolLimits(), clock, lambda: math.inf)
    for _ in range(12):
        sandbox.prepare()
        first = sandbox._ahead.process.pid
        time.sleep(moments.uniform(0, 0.006))
        dies.append(first)
        assert shell(sandbox, f"sleep {MARK}").code == 137
    assert until(lambda: not alive(str(workspace)))


def stat(process):
    """What the kernel says of a process from its state on: Z is one that has ended."""
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()


def test_a_call_that_closes_its_output_is_ended_all_the_same(make_sandbox):
    outcome = shell(make_sandbox(seconds=1), f'eval "exec >&- 2>&- $REPORT_FD>&-"; exec sleep {MARK}')
    assert outcome.code is None
    assert until(lambda: not alive(MARK))


def test_a_sandbox_that_is_killed_as_a_whole_ends_with_137(sandbox):
    assert shell(sandbox, "kill -KILL 1; kill -KILL $$").code == 137


def test_what_the_kernel_killed_for_want_of_memory_is_known(workspace):
    counts = iter([0, 0, 0, 1, 1, 1])
    sandbox = Sandbox(workspace, ToolLimits(), time.monotonic, lambda: math.inf, kills=lambda: next(counts))
    assert [shell(sandbox, "true").memory, shell(sandbox, "true").memory] == [True, False]


def test_endless_output_is_cut_in_the_middle_and_takes_no_memory(hurried):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    outcome = shell(hurried(output_kb=2), "echo first; head -c 20M /dev/zero; : >begun; yes")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 10_000
    assert len(outcome.head) == len(outcome.tail) == 1024
    assert outcome.head.startswith(b"first\n")
    assert outcome.left_out > 1_000_000


def test_what_came_last_is_the_tail(make_sandbox):
    outcome = shell(make_sandbox(output_kb=1), "seq 100000; echo last")
    assert outcome.tail.endswith(b"last\n")
    assert len(outcome.head) + outcome.left_out + len(outcome.tail) == 588_895 + 5


def test_a_program_finds_its_limits_set(make_sandbox):
    said = shell(make_sandbox(memory_mb=64, pids=99), "ulimit -c; ulimit -f; ulimit -d; ulimit -u").head
    assert said.split() == [b"0", b"1048576", b"65536", b"99"]


def test_when_memory_runs_out_the_kernel_takes_the_call_first(sandbox):
    assert shell(sandbox, "cat /proc/self/oom_score_adj /proc/1/oom_score_adj").head.split() == [b"1000"] * 2
    assert Path("/proc/self/oom_score_adj").read_text().strip() != "1000"


def test_addresses_that_are_reserved_and_not_used_cost_nothing(make_sandbox):
    reserve = "import mmap; mmap.mmap(-1, 2**32, mmap.MAP_PRIVATE | 0x4000, mmap.PROT_READ); print('held')"
    outcome = make_sandbox(memory_mb=64).run(Job(["/usr/bin/python3", "-c", reserve]))
    assert outcome.head == b"held\n"


@pytest.mark.root
@pytest.mark.parametrize(
    "fills",
    [
        "while :; do head -c 1M /dev/zero >>big; sleep 0.01; done",
        "i=0; while :; do i=$((i + 1)); : >f$i; ((i % 100)) || sleep 0.01; done",
    ],
)
def test_a_call_is_ended_before_the_disk_is_full(tmp_path, fills):
    """On a file system of its own, mounted for one process alone."""
    (tmp_path / "w").mkdir()
    program = (
        "import math, sys, time; from pathlib import Path; from agent.sandbox.run import Sandbox\n"
        "from agent.sandbox.waiting import Job\n"
        "from agent.settings import ToolLimits\n"
        "walls = Sandbox(Path(sys.argv[1]), ToolLimits(), time.monotonic, lambda: math.inf)\n"
        "outcome = walls.run(Job(['/bin/bash', '-c', sys.argv[2]]))\n"
        "import os; left = os.statvfs(sys.argv[1])\n"
        "print(outcome.code, outcome.full, left.f_bavail > 0, left.f_favail > 0)"
    )
    small = 'mount -t tmpfs -o size=256m,nr_inodes=20k none "$0" && exec "$@"'
    command = ["unshare", "--mount", "sh", "-c", small, str(tmp_path / "w"), sys.executable, "-c", program]
    done = subprocess.run([*command, str(tmp_path / "w"), fills], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["None", "True", "True", "True"]


def test_memory_of_a_process_is_bounded(make_sandbox):
    outcome = make_sandbox(memory_mb=64).run(Job(["/usr/bin/python3", "-c", "x = bytearray(100_000_000)"]))
    assert b"MemoryError" in outcome.head


def test_memory_that_files_take_is_bounded(make_sandbox):
    assert b"No space left" in shell(make_sandbox(memory_mb=32), "head -c 50M /dev/zero > /tmp/x").head


def test_what_goes_to_the_report_is_apart_from_the_output(sandbox):
    outcome = shell(sandbox, "echo mine >&$REPORT_FD; echo yours")
    assert (outcome.report, outcome.head) == (b"mine\n", b"yours\n")


def test_a_killed_session_takes_its_sandbox_along(workspace):
    program = (
        "import sys, time; from pathlib import Path; from agent.settings import ToolLimits\n"
        "from agent.sandbox.run import Sandbox\n"
        "from agent.sandbox.waiting import Job\n"
        "sandbox = Sandbox(Path(sys.argv[1]), ToolLimits(), time.monotonic, lambda: float('inf'))\n"
        "print('ready', flush=True); sandbox.run(Job(['/bin/sleep', sys.argv[2]]))\n"
    )
    session = subprocess.Popen([sys.executable, "-c", program, str(workspace), MARK], stdout=subprocess.PIPE)
    session.stdout.readline()
    assert until(lambda: alive(f"/bin/sleep\x00{MARK}"))
    session.kill()
    session.wait()
    assert until(lambda: not alive(f"/bin/sleep\x00{MARK}"))


@pytest.mark.root
def test_where_proc_is_mounted_over_the_sandbox_does_without_one(workspace):
    """As in a unit with ProtectKernelTunables: the kernel refuses a fresh /proc, the host's own is never shown."""
    cover = 'mount --bind /proc/sys /proc/sys && mount -o remount,ro,bind /proc/sys && exec "$@"'
    program = (
        "import sys, time; from pathlib import Path; from agent.settings import ToolLimits\n"
        "from agent.sandbox.run import Sandbox\n"
        "from agent.sandbox.waiting import Job\n"
        "sandbox = Sandbox(Path(sys.argv[1]), ToolLimits(), time.monotonic, lambda: float('inf'))\n"
        "print(sandbox.run(Job(['/bin/ls', '-A', '/proc'])))\n"
    )
    command = ["unshare", "-m", "bash", "-c", cover, "cover", sys.executable, "-c", program, str(workspace)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    values = "head=b'', left_out=0, tail=b'', code=0, report=b'', full=False, memory=False, connections=()"
    assert said == f"Outcome({values}, crowded=False)\n"


@pytest.mark.root
def test_a_fork_bomb_is_bounded_for_the_user_that_the_daemon_is():
    """The kernel counts no processes of root, so this one runs as another user."""
    with tempfile.TemporaryDirectory() as own:
        folder = Path(own) / "workspace"
        folder.mkdir()
        for path in (own, folder):
            os.chown(path, USER, USER)
        here, there = get_context("fork").Pipe()
        child = get_context("fork").Process(target=_bomb, args=(folder, there))
        child.start()
        assert here.poll(120)
        children, bomb = here.recv()
        assert 5 < int(children) < 10
        assert bomb is None
        child.join()
        assert until(lambda: not alive(MARK))


def _bomb(folder, there):
    os.setgroups([])
    os.setgid(USER)
    os.setuid(USER)
    sandbox = Sandbox(folder, ToolLimits(seconds=60, pids=10), Hurried(folder), lambda: float("inf"))
    count = sandbox.run(Job(["/usr/bin/python3", "-c", FORKS]))
    # By a subshell: the bomb takes all that may be started before its second half is, and bash then gives up.
    seen = "until procs=(/proc/[0-9]*) && (( ${#procs[@]} > 7 )); do :; done"
    bomb = shell(sandbox, f"bomb() {{ bomb | bomb & }}; (bomb) & {seen}; : >begun; exec sleep {MARK}")
    there.send((count.head, bomb.code))
