"""The daemon as a process of its own."""

import socket
import subprocess
import sys
from pathlib import Path

from wire.types import State

IDLE = "idle; today 0 of 5 sessions, $0.00"


def test_kill_9_ends_the_session_too_and_the_next_daemon_goes_on_with_it(site, program):
    task = site.add("turn hang turn")
    program.start().kill()
    first = program.start()
    session = site.process()[2]
    first.kill()
    site.until(lambda: site.gone(session))
    site.folder().joinpath("go").touch()
    program.start()
    done = site.until(lambda: (seen := site.client.task(task.id)).state is State.DONE and seen)
    assert (done.result, done.sessions_used, done.fence) == ("4 records", 1, 2)


def test_a_second_daemon_on_the_same_state_is_refused(site, program):
    site.add("hang")
    program.start()
    site.process()
    second = program.start()
    assert "another daemon works with this state folder" in second.communicate(timeout=60)[1]
    assert second.returncode == 1


def test_it_tells_systemd_that_it_is_ready_lives_and_stops(site, program, tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(str(tmp_path / "notify"))
        heard.settimeout(60)
        process = program.start(NOTIFY_SOCKET=str(tmp_path / "notify"), WATCHDOG_USEC="400000")
        assert heard.recv(200) == b"READY=1"
        status = []
        # Which of its words is the fourth says how busy this machine is: it looks for work again between two rests.
        site.until(lambda: status.append(heard.recv(200).decode()) or (len(status) > 3 and IDLE in status[-1]))
        process.terminate()
        site.until(lambda: heard.recv(200) == b"STOPPING=1")
    assert process.wait(60) == 0
    assert all(line.startswith("WATCHDOG=1\nSTATUS=") for line in status)


def test_it_idles_small_and_never_imports_anthropic(site, program, tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(str(tmp_path / "notify"))
        heard.settimeout(60)
        process = program.start(NOTIFY_SOCKET=str(tmp_path / "notify"))
        site.until(lambda: b"idle" in heard.recv(200))
        rollup = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
        mapped = Path(f"/proc/{process.pid}/maps").read_text()
    pss = next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
    sys.stdout.write(f"idle daemon: {pss / 1024:.1f} MB PSS\n")
    assert pss < 30 * 1024
    assert "pydantic" not in mapped  # anthropic's compiled part


def test_the_daemons_modules_never_import_anthropic(program):
    told = "import sys, agent.__main__; print(sorted(m for m in sys.modules if m.split('.')[0] in %r))"
    heavy = ["anthropic", "pydantic", "httpx", "starlette", "agent.session"]
    command = [sys.executable, "-c", told % heavy]
    assert subprocess.check_output(command, env=program.environment, cwd=program.app, text=True) == "[]\n"
