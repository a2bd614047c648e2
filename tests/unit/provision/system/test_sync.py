"""The sync's program for an operator, as a command on the host."""

from provision.system.sync import command


def test_the_settings_come_on_its_input():
    assert command("/opt/r", "--first", "5") == [
        "/opt/r/venv/bin/python",
        "/opt/jada-agent/scripts/port_sheet_sync.py",
        *("--settings", "-", "--first", "5"),
    ]
