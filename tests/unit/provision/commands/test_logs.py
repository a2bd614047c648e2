import pytest

from provision.commands import logs
from provision.errors import CommandError


def test_the_journal_is_asked_for_all_our_units_or_one():
    assert "--unit=jada-dashboard.service" in logs.journal_command(None, "-1h")
    words = logs.journal_command("port-sheet-sync", "today")
    assert [word for word in words if word.startswith("--unit")] == ["--unit=port-sheet-sync.service"]


def test_a_time_that_begins_with_a_dash_is_no_option_of_journalctl():
    assert "--since=-1h" in logs.journal_command(None, "-1h")


@pytest.mark.parametrize("name", ["nosuch", "jada", "ssh.service", ""])
def test_a_unit_that_is_not_ours_is_refused_with_those_that_are(name):
    with pytest.raises(CommandError, match=f"no unit {name}") as caught:
        logs.journal_command(name, "-1h")
    assert "jada-dashboard, jada-agent, jada-notify, port-sheet-sync" in caught.value.cure
