"""Users, and who may read what: state is each program's own, secrets are root's."""

import pytest

from provision.system.secrets import FOLDER, NAMES

USERS = {"jada": "/var/lib/jada-agent", "jada-sync": "/var/lib/jada-sync", "jada-dashboard": "/var/lib/jada-dashboard"}


@pytest.mark.parametrize(("name", "home"), USERS.items())
def test_each_program_has_a_user_that_nobody_can_log_in_as(host, name, home):
    user = host.user(name)
    assert user.exists
    assert user.home == home
    assert user.shell.endswith("/nologin")
    assert user.groups == [name]


@pytest.mark.parametrize(("name", "home"), USERS.items())
def test_state_is_its_programs_alone(host, name, home):
    folder = host.file(home)
    assert (folder.user, folder.group, oct(folder.mode)) == (name, name, oct(0o700)), home


def test_the_secrets_folder_is_locked(host):
    folder = host.file(FOLDER)
    assert (folder.user, folder.group, oct(folder.mode)) == ("root", "root", oct(0o700)), FOLDER


@pytest.mark.parametrize("name", NAMES)
def test_each_secret_is_there_and_roots_alone(host, name):
    file = host.file(f"{FOLDER}/{name}")
    assert file.is_file, f"{name} is missing: `fab secrets` gives it"
    assert (file.user, file.group, oct(file.mode)) == ("root", "root", oct(0o600)), f"{FOLDER}/{name}"


def test_nothing_else_is_among_the_secrets(out):
    assert set(out("ls", "-A", FOLDER).split()) <= set(NAMES)


@pytest.mark.parametrize("folder", ["/opt/jada-agent", "/opt/jada-agent/current/app", "/opt/jada-agent/current/etc"])
def test_what_runs_belongs_to_root(out, folder):
    assert out("find", f"{folder}/", "(", "!", "-user", "root", "-o", "-perm", "/022", "!", "-type", "l", ")") == ""
