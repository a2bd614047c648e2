"""Users, and who may read what: state is each program's own, secrets are root's."""

import pytest

from provision.system.secrets import FOLDER, SECRETS

USERS = {
    "jada": "/var/lib/jada-agent",
    "jada-sync": "/var/lib/jada-sync",
    "jada-dashboard": "/var/lib/jada-dashboard",
    "jada-notify": "/var/lib/jada-notify",
}
QUEUE = {name: ["jada-queue"] for name in ("jada", "jada-sync", "jada-notify")}
"""Who may connect to the queue's socket besides the dashboard, whose unit gives it the group."""


@pytest.fixture(scope="module")
def users(out):
    """The host's entry of each of these users, with the names of its groups at its end."""
    each = 'for name; do echo "$(getent passwd "$name"):$(id -nG "$name")"; done'
    return {words[0]: words for line in out("sh", "-c", each, "sh", *USERS).splitlines() if (words := line.split(":"))}


@pytest.mark.parametrize(("name", "home"), USERS.items())
def test_each_program_has_a_user_that_can_not_log_in(users, name, home):
    assert name in users
    *_, seen, shell, groups = users[name]
    assert seen == home
    assert shell.endswith("/nologin")
    assert set(groups.split()) == {name, *QUEUE.get(name, ())}


@pytest.fixture(scope="module")
def given(find):
    """The names of the secrets that are there."""
    return find(FOLDER, "-xtype", "f", "-printf", "%P\\n").splitlines()


@pytest.mark.parametrize("name", [name for name, secret in SECRETS.items() if not secret.optional])
def test_each_secret_is_there(given, settings, name):
    enabled = settings.get("sync", {}).get("enabled", True)
    if not enabled and set(SECRETS[name].readers) == {"port-sheet-sync.service"}:
        pytest.skip("only the sync reads it, and the sync is off")
    assert name in given, f"{name} is missing: `fab secrets` gives it"


def test_each_secret_is_for_root_only(find):
    assert find(FOLDER, "-type", "f", "(", "!", "-user", "root", "-o", "!", "-perm", "0600", ")") == ""


def test_nothing_else_is_among_the_secrets(out):
    assert set(out("ls", "-A", FOLDER).split()) <= set(SECRETS)


@pytest.mark.parametrize("folder", ["/opt/jada-agent", "/opt/jada-agent/current/app", "/opt/jada-agent/current/etc"])
def test_what_runs_belongs_to_root(find, folder):
    assert find(folder, "(", "!", "-user", "root", "-o", "-perm", "/022", "!", "-type", "l", ")") == ""
