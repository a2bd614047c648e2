"""How a login fails, each with its own message, at a real host."""

import time
from dataclasses import replace

import paramiko
import pytest

from doubles.lightsail.access import Authority, new_key, private_pem
from local import network
from local.commands import run
from provision.errors import CommandError
from provision.reach import access
from provision.reach.connection import ConnectionLost, connected
from provision.reach.keyfiles import materialised
from wire.secret import Secret

pytestmark = pytest.mark.root


def _refusal(granted, timeout_s=15):
    with pytest.raises(CommandError) as caught, connected(granted, timeout_s):
        pass
    return caught.value


def test_a_certificate_from_the_api_lets_in_and_sudo_asks_nothing(box):
    assert box.run(["id", "-un"]) == b"root\n"


def test_what_a_command_prints_arrives_as_bytes_also_where_it_is_no_text(box):
    assert box.run(["printf", r"\377\n"]) == b"\xff\n"


def test_a_command_that_fails_before_it_read_everything_tells_its_own_error(box):
    with pytest.raises(CommandError, match=r"ended with 1: cat: /nowhere") as caught:
        box.run(["cat", "/nowhere"], b"x" * 5_000_000)
    assert "connection" not in caught.value.cause


def test_a_connection_that_breaks_is_reported_as_such(box):
    # The shell's parents are sudo, then the sshd of this connection; the sleep is what the connection outlives.
    with pytest.raises(CommandError, match="the connection broke"):
        box.run(["sh", "-c", "kill -9 $(ps -o ppid= -p $PPID); exec sleep 20"])


def test_a_connection_whose_other_end_is_gone_is_noticed_within_a_minute(cloud, box):
    inside = ("ip", "netns", "exec", network.namespace(cloud.site, 1), "nft")
    said = box.lines(["sh", "-c", "echo begun; exec sleep 600"])
    assert next(said) == b"begun\n"
    began = time.monotonic()
    # As if its cable were pulled: nothing comes in, and nothing says so.
    run(*inside, "add table inet gone; add chain inet gone in { type filter hook input priority -300; policy drop; }")
    try:
        with pytest.raises(ConnectionLost):
            next(said)
    finally:
        run(*inside, "delete table inet gone")
    assert time.monotonic() - began < 60


def test_a_command_may_be_slow_to_start_and_is_cut_off_when_it_falls_silent_after_its_first_word(box):
    slow = ["sh", "-c", "sleep 1; echo begun; exec sleep 20"]
    said = box.lines(slow, silence_s=0.5)
    assert next(said) == b"begun\n"
    with pytest.raises(ConnectionLost):
        next(said)


def test_another_host_key_than_lightsail_saw_is_refused(cloud):
    other = paramiko.ECDSAKey.generate()
    granted = replace(cloud.access(), host_keys=((other.get_name(), other.get_base64()),))
    assert "another host key" in _refusal(granted).cause


def test_a_certificate_of_a_foreign_authority_is_distinguished_from_other_failures(cloud, tmp_path):
    key, granted = new_key(), cloud.access()
    foreign = Authority.at(tmp_path / "ca.pem").certificate(key, granted.username, access.utc_now().timestamp())
    refusal = _refusal(replace(granted, key=Secret(private_pem(key)), certificate=foreign))
    assert "does not trust the CA that signed it" in refusal.cause


def test_a_closed_port_is_named(cloud):
    refusal = _refusal(replace(cloud.access(), port=2222), timeout_s=1)
    assert "does not answer on port 2222" in refusal.cause
    assert "firewall" in refusal.cure


def test_an_instance_that_does_not_run_is_reported_as_such(cloud):
    cloud.api.stop_instance(instanceName="deployed")
    cloud.until("stopped")
    try:
        with pytest.raises(CommandError, match="instance deployed is stopped, not running") as caught:
            cloud.access()
    finally:
        cloud.api.start_instance(instanceName="deployed")
        cloud.until("running")
    assert "start-instance" in caught.value.cure


def test_files_are_private_while_they_are_there_and_gone_afterwards(cloud):
    with materialised(cloud.access()) as keys:
        modes = {path.name: path.stat().st_mode & 0o777 for path in keys.folder.iterdir()}
        assert keys.folder.stat().st_mode & 0o777 == 0o700
        assert set(modes.values()) == {0o600}
    assert not keys.folder.exists()
