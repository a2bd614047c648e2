"""The sync's program for an operator, as a command on the host."""

from provision.system.sync import command


def test_it_runs_as_the_unit_does_with_the_secrets_that_are_there():
    words = command("/opt/r", ("bookings_token", "anthropic_api_key"), "--first", "5")
    assert words[0] == "systemd-run"
    assert "--property=User=jada-sync" in words
    assert "--property=LoadCredential=bookings_token:/home/jada/secrets/bookings_token" in words
    assert not any("anthropic" in word for word in words)
    assert words[-6:] == ["--settings", "-", "--state", "/var/lib/jada-sync", "--first", "5"]
