"""`fab verify` passes on what was deployed, and names what a hand has changed."""

import pytest

pytestmark = [pytest.mark.root, pytest.mark.chain]

CHANGES = {
    "a secret's mode": (
        "chmod 644 /home/jada/secrets/bookings_token",
        "chmod 600 /home/jada/secrets/bookings_token",
        "bookings_token",
    ),
    "a unit": (
        "systemctl disable --now port-sheet-sync.service; systemctl stop jada-dashboard",
        "systemctl start jada-dashboard",
        "jada-dashboard",
    ),
    "a unit's file": (
        "echo \\# >> $(readlink -f /etc/systemd/system/jada-agent.service)",
        'sed -i "$ d" $(readlink -f /etc/systemd/system/jada-agent.service)',
        "jada-agent.service",
    ),
    "the cron line": (
        'sed -i "s,/30,/31," $(readlink -f /etc/cron.d/port-sheet-sync)',
        'sed -i "s,/31,/30," $(readlink -f /etc/cron.d/port-sheet-sync)',
        "port-sheet-sync",
    ),
    "a port": (
        "systemd-run --unit=open-door --collect python3 -m http.server 8097 --bind 0.0.0.0",
        "systemctl stop open-door",
        "8097",
    ),
}


def test_a_deployed_host_passes(chain):
    assert " passed" in chain.fab("verify").stdout


@pytest.mark.parametrize("change", CHANGES)
def test_what_a_hand_changed_is_named(chain, change):
    do, undo, named = CHANGES[change]
    chain.host(do)
    try:
        verdict = chain.fab("verify", check=False)
    finally:
        chain.host(undo)
    assert verdict.returncode != 0
    assert named in verdict.stdout
