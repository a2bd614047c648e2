"""What a message says of a unit that failed, and how often."""

import pytest

from notify.failed import LastReport, is_reported, report
from notify.settings import is_whole
from wire.settings_file import load

MISSING = {"MONITOR_SERVICE_RESULT": "exit-code", "MONITOR_EXIT_STATUS": "243", "MONITOR_INVOCATION_ID": "ab12"}


def test_a_missing_secret_is_said_with_its_cure_and_the_journal():
    made = report("port-sheet-sync.service", MISSING, "Failed to set up credentials\n", whole=True)
    assert made.id == "failed.port-sheet-sync.service.ab12"
    assert made.id in made.subject
    for part in (
        "exit-code, exit status 243",
        "`fab secrets`",
        "Failed to set up credentials",
        "fab logs --unit port-",
    ):
        assert part in made.text


def test_another_failure_names_no_secret():
    assert "secrets" not in report("jada-agent.service", {**MISSING, "MONITOR_EXIT_STATUS": "1"}, "", whole=True).text


def test_a_pointer_leaves_the_journal_out():
    assert "Ada" not in report("jada-agent.service", MISSING, "guest Ada Example\n", whole=False).text


def test_started_by_hand_it_says_what_it_does_not_know():
    made = report("jada-agent.service", {}, "", whole=True, host="jada-2")
    assert made.subject.startswith("[jada] Failed: jada-agent.service on jada-2 (")
    assert made.text.endswith("fab logs --host jada-2 --unit jada-agent.service")
    assert "unknown, exit status unknown" in report("jada-agent.service", {}, "", whole=True).text


@pytest.mark.parametrize(("after", "recent"), [(0, True), (599, True), (600, False), (-1, False)])
def test_a_unit_is_reported_once_in_ten_minutes_whatever_the_clock_does(tmp_path, after, recent):
    last = LastReport(tmp_path, "jada-agent.service")
    assert not last.is_recent(1000)
    last.keep(1000)
    assert last.is_recent(1000 + after) is recent
    assert not LastReport(tmp_path, "port-sheet-sync.service").is_recent(1000)


@pytest.mark.parametrize(
    ("text", "whole"),
    [("", True), ('[dashboard.notify]\ntext = "whole"', True), ('[dashboard.notify]\ntext = "pointer"', False)],
)
def test_the_dashboards_setting_counts_past_it_too(tmp_path, text, whole):
    (tmp_path / "jada.toml").write_text(text)
    assert load(tmp_path / "jada.toml", "dashboard", is_whole) is whole


@pytest.mark.parametrize(
    ("unit", "status", "reported"),
    [
        ("port-sheet-sync.service", "10", True),
        ("port-sheet-sync.service", "15", True),
        ("port-sheet-sync.service", "1", False),
        ("port-sheet-sync.service", "243", False),
        ("port-sheet-sync.service", "78", False),
        ("jada-agent.service", "1", False),
    ],
)
def test_a_failed_sync_that_raised_its_alarm_is_not_reported_twice(unit, status, reported):
    assert is_reported(unit, {"MONITOR_EXIT_STATUS": status}) is reported
