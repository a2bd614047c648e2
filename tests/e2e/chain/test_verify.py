"""`fab verify` passes on what was deployed, and names what a hand has changed."""

import contextlib

import pytest

pytestmark = [pytest.mark.root, pytest.mark.chain]

CHANGES = {
    "a secret's mode": (
        "chmod 644 /home/jada/secrets/bookings_token",
        "chmod 600 /home/jada/secrets/bookings_token",
        "test_each_secret_is_for_root_only",
        "bookings_token",
    ),
    "a unit that does not run": (
        "systemctl disable --now port-sheet-sync.service; systemctl stop jada-dashboard",
        (
            "ln -sfn /opt/jada-agent/current/units/port-sheet-sync.service /etc/systemd/system/;"
            " systemctl daemon-reload; systemctl start jada-dashboard"
        ),
        "test_services_run_and_start_at_boot[{host}jada-dashboard.service]",
        "jada-dashboard",
    ),
    "a unit's file": (
        "echo \\# >> $(readlink -f /etc/systemd/system/jada-agent.service)",
        'sed -i "$ d" $(readlink -f /etc/systemd/system/jada-agent.service)',
        "test_units_are_the_ones_of_the_release[{host}jada-agent.service]",
        "jada-agent.service",
    ),
    "the cron line": (
        'sed -i "s,/30,/31," $(readlink -f /etc/cron.d/port-sheet-sync)',
        'sed -i "s,/31,/30," $(readlink -f /etc/cron.d/port-sheet-sync)',
        "test_cron_starts_the_sync_every_half_hour_and_does_nothing_else",
        "port-sheet-sync",
    ),
    "a port": (
        "systemd-run --unit=open-door --collect python3 -m http.server 8097 --bind 0.0.0.0",
        "systemctl stop open-door",
        "test_only_ssh_listens_beyond_loopback",
        "8097",
    ),
}
"""What a hand changes → how, how it is undone, the check that fails, and what it names."""


def test_a_deployed_host_passes(chain):
    assert " passed" in chain.fab("verify").stdout


@pytest.fixture(scope="module")
def verdict(chain):
    """What `fab verify` says when all of it was changed: one run for all, because each takes its seconds."""
    with contextlib.ExitStack() as undoes:
        for do, undo, *_ in CHANGES.values():
            undoes.callback(chain.host, undo)
            chain.host(do)
        return chain.fab("verify", check=False)


@pytest.mark.parametrize("change", CHANGES)
def test_what_a_hand_changed_is_named(verdict, change):
    *_, check, named = CHANGES[change]
    check = check.format(host="ssh://jada-orchestrator-")
    assert verdict.returncode != 0
    failed = [line for line in verdict.stdout.splitlines() if line.startswith("FAILED")]
    assert any(check in line for line in failed), verdict.stdout
    assert named in verdict.stdout
