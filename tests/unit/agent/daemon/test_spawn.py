import sys
from pathlib import Path

from agent.daemon.spawn import Release

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
