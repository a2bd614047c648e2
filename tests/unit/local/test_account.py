"""Root makes the local cloud for a user: who that is, and how a user's command goes on as root."""

import os
import pwd

import pytest

from local import account
from local.account import Account

USER = Account("nobody", *pwd.getpwnam("nobody")[2:4], pwd.getpwnam("nobody").pw_dir)


@pytest.fixture
def checkout(tmp_path):
    """A checkout that belongs to the user."""
    if os.geteuid() != 0:
        pytest.skip("only root can give a folder away")
    USER.give(tmp_path)
    return tmp_path


def test_the_operator_is_the_user_from_whom_sudo_came(checkout):
    assert account.operator({"SUDO_UID": str(USER.uid)}, 0, checkout) == USER


@pytest.mark.parametrize(
    ("environ", "uid"),
    [({}, 0), ({"SUDO_UID": "0"}, 0), ({"SUDO_UID": "odd"}, 0), ({"SUDO_UID": str(USER.uid)}, USER.uid)],
)
def test_without_sudo_commands_run_as_who_they_are(checkout, environ, uid):
    assert account.operator(environ, uid, checkout) is None


def test_in_a_checkout_of_another_user_root_works_for_itself(tmp_path):
    assert account.operator({"SUDO_UID": str(USER.uid)}, 0, tmp_path) is None


def test_caches_are_the_users_and_root_writes_no_bytecode(monkeypatch):
    monkeypatch.setattr("sys.dont_write_bytecode", False)
    environ = {"HOME": "/root"}
    account.adopt(USER, environ)
    assert environ == {"HOME": USER.home, "PYTHONDONTWRITEBYTECODE": "1"}


def test_without_a_home_the_accounts_own_is_used():
    environ = {}
    account.adopt(None, environ)
    assert environ == {"HOME": pwd.getpwuid(os.geteuid()).pw_dir}


def test_a_command_goes_on_as_root_with_its_variables_and_keeps_values_off_the_command_line():
    environ = {"ANTHROPIC_API_KEY": "secret", "HTTPS_PROXY": "http://proxy", "PATH": "/bin"}
    assert account.as_root(["python", "-m", "local"], environ) == [
        *("sudo", "--preserve-env=ANTHROPIC_API_KEY,HTTPS_PROXY", "--", "python", "-m", "local")
    ]
    assert account.as_root(["python"], {}) == ["sudo", "--", "python"]


def test_what_is_in_a_folder_is_given_too_and_links_are_not_followed(checkout):
    outside = checkout.parent / f"{checkout.name}-outside"
    outside.touch()
    (checkout / "in").mkdir()
    (checkout / "in" / "link").symlink_to(outside)
    USER.give(checkout)
    assert (checkout / "in" / "link").lstat().st_uid == USER.uid
    assert outside.stat().st_uid == 0


def test_what_root_left_in_a_folder_becomes_the_users_and_what_is_anothers_stays(checkout):
    outside = checkout.parent / f"{checkout.name}-outside"
    for path in (outside, checkout / "roots", checkout / "anothers"):
        path.touch()
    (checkout / "link").symlink_to(outside)
    os.chown(checkout / "anothers", 1, 1)
    USER.reclaim(checkout)
    assert [(checkout / name).lstat().st_uid for name in ("roots", "anothers", "link")] == [USER.uid, 1, USER.uid]
    assert outside.stat().st_uid == 0


@pytest.mark.parametrize(("command", "other"), [("make demo", "make down"), ("sudo make demo", "sudo make down")])
def test_a_command_is_named_as_it_was_typed(command, other):
    assert account.typed({"JADA_TYPED": command}) == command
    assert account.typed({"JADA_TYPED": command}, "down") == other


def test_a_command_names_a_site_that_is_not_the_usual_one():
    assert account.typed({"JADA_TYPED": "make demo", "JADA_SITE": "jada"}, "down") == "make down"
    assert account.typed({"JADA_TYPED": "make demo", "JADA_SITE": "other"}, "down") == "make down JADA_SITE=other"
    assert account.typed({"JADA_TYPED": "make demo", "JADA_SITE": "other"}) == "make demo JADA_SITE=other"
