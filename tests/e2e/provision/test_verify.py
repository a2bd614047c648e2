"""`fab verify` against a real host: it passes, and says what a hand changed."""

from dataclasses import replace

import pytest

from doubles.lightsail.access import new_key, public_line
from provision.commands import secrets, verify
from provision.errors import CommandError
from provision.reach.connection import connected
from provision.reach.keyfiles import materialised
from tests.e2e.provision.host import require_verified
from wire.secret import Secret

pytestmark = pytest.mark.root


def test_a_deployed_host_passes(cloud, deployed):
    require_verified(cloud.access())


def test_with_another_host_key_it_stops_at_once_with_one_message(cloud, deployed):
    algorithm, blob = public_line(new_key()).split()[:2]
    wrong = replace(cloud.access(), host_keys=((algorithm, blob),))
    with materialised(wrong) as keys, pytest.raises(CommandError) as refused:
        verify.log_in(keys, wrong, 15)
    assert "shows another host key" in refused.value.cause
    assert "don't log in" in refused.value.cure


def test_a_changed_secret_restarts_only_its_readers_and_is_nowhere_to_be_read(cloud, deployed):
    canary = "canary-7f3a9"
    answer = secrets.send(deployed, {"anthropic_api_key": Secret(canary + "\n")})
    assert answer["changed"] == ["anthropic_api_key"]
    assert answer["restarted"] == ["jada-agent.service"]
    assert canary not in str(answer)
    # Nor in the journal (sudo writes command lines there), nor in any process's command line or environment.
    search = f"journalctl --sync; journalctl --no-pager | grep -c {canary[:-1]}[{canary[-1]}] || true"
    assert deployed.run(["sh", "-c", search]) == b"0\n"
    assert (
        deployed.run(["sh", "-c", f"cat /proc/[0-9]*/environ | grep -ac {canary[:-1]}[{canary[-1]}] || true"]) == b"0\n"
    )


def test_secrets_given_again_change_nothing(cloud, deployed):
    given = {"bookings_token": Secret("again\n")}
    secrets.send(deployed, given)
    with connected(cloud.access(), 15) as again:
        answer = secrets.send(again, given)
    assert (answer["changed"], answer["restarted"]) == ([], [])


def test_an_error_in_a_long_line_of_the_journal_is_counted(deployed):
    deployed.run(["sh", "-c", "printf 'ERROR no room left: %05000d' 0 | systemd-cat -t port-sheet; journalctl --sync"])
    asked = {"queue": "unix:/none", "units": ["jada-agent.service"], "hours": 1, "token": "none"}
    patterns = deployed.program("checkup", asked)["journal"]["seen"]["patterns"]
    assert [each["count"] for each in patterns if each["pattern"].startswith("ERROR no room left")] == [1]
