import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agent.daemon.spawn import Process, Release

RELEASE = Release(Path("/releases/1/venv/bin/python"), Path("/releases/1/app"))


def test_a_session_is_a_command_of_its_release():
    command = RELEASE.command(Path("/state/sessions/A"))
    assert command == ["/releases/1/venv/bin/python", "-m", "agent.session", "/state/sessions/A"]


def test_only_what_a_session_needs_of_the_environment_travels():
    own = {"PATH": "/usr/bin", "LANG": "C.UTF-8", "CREDENTIALS_DIRECTORY": "/run/c", "PYTHONPATH": "x", "SECRET": "y"}
    assert RELEASE.environment(own) == {
        "PATH": "/usr/bin",
        "LANG": "C.UTF-8",
        "CREDENTIALS_DIRECTORY": "/run/c",
        "PYTHONPATH": "/releases/1/app",
        "PYTHONUNBUFFERED": "1",
    }


def test_the_own_release_has_no_link_that_a_deploy_could_move():
    own = Release.own()
    assert own.python.parent.resolve() == own.python.parent
    assert own.python.resolve() == Path(sys.executable).resolve()
    assert own.app == Path(__file__).resolve().parents[4]


@pytest.mark.process
def test_nothing_that_a_session_leaves_lives_on(tmp_path):
    """A session that ends while a sandbox is half made: who would end it is dead, and it has a group of its own."""
    (tmp_path / "agent").mkdir()
    leave = "import subprocess; subprocess.Popen(['sleep', '31415'], start_new_session=True)"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {leave!r}])"
    (tmp_path / "agent" / "session.py").write_text(code)
    other = subprocess.Popen(["sleep", "60"])
    try:
        child = Process(Release(Path(sys.executable), tmp_path), tmp_path, os.environ)
        deadline = time.monotonic() + 60
        while child.ended() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        assert child.ended() == "exit status 0"
        children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
        commands = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in children]
        assert not [command for command in commands if b"31415" in command]
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()
