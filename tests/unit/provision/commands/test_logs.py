from provision.commands import logs


def test_the_journal_is_asked_for_all_our_units_or_one():
    assert "--unit=jada-dashboard.service" in logs.journal_command(None, "-1h")
    words = logs.journal_command("port-sheet-sync", "today")
    assert [word for word in words if word.startswith("--unit")] == ["--unit=port-sheet-sync"]
