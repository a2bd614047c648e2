"""What a run says: the exit code of its class, the report on disk, the whole diff, and a booking's story."""

import json

import pytest

from local.process import wait_until


@pytest.mark.parametrize(
    ("where", "fault", "code"),
    [
        ("google", {"on": "token", "error": "invalid_grant"}, 10),
        ("google", {"on": "sheets", "error": "PERMISSION_DENIED"}, 11),
        ("bookings", {"status": 500}, 13),
    ],
)
def test_a_failure_ends_with_the_code_of_its_class_and_is_kept_on_the_disk(filled, where, fault, code):
    filled.fault(getattr(filled, where), **fault)
    assert filled.run().returncode == code
    report = filled.folder / "state" / "report.json"
    assert report.stat().st_mode & 0o777 == 0o600
    kept = json.loads(report.read_text())
    assert (kept["outcome"], kept["error"]) == ("failed", filled.report().error)


def test_a_failure_of_which_no_one_could_be_reported_is_left_to_systemd(filled):
    filled.call("POST", f"{filled.google}/_local/tokens/revoke")
    filled.configure(dashboard_url="http://127.0.0.1:9")
    assert filled.run().returncode == 1


def test_a_damaged_memory_says_which_file_to_move_aside_and_then_all_is_well(filled):
    history = filled.folder / "state" / "history.sqlite"
    history.write_bytes(b"not a database" * 1000)
    assert f"for f in {history}*; do mv $f $f.damaged; done" in filled.fails("memory_damaged").stderr
    for file in history.parent.glob("history.sqlite*"):
        file.rename(f"{file}.damaged")
    assert filled.run().returncode == 0


def test_a_dry_run_prints_all_and_what_is_applied_is_what_was_printed(filled):
    for number in range(1, 9):
        filled.book(f"J0000{number}", rate=f"{number}00")
    printed = filled.run("--dry-run")
    assert printed.stdout.count("~ J0000") == 8
    assert "      rate: " in printed.stdout
    name = json.loads(filled.run("--dry-run", "--json").stdout)["plan"]
    assert f"plan {name}" in printed.stdout
    assert filled.writes() == []
    filled.book("J00009", rate="900")
    before = filled.reports()
    filled.fails("plan_changed", filled.start("--plan", name))
    assert (filled.writes(), filled.reports(), filled.alarms()) == ([], before, [])
    name = json.loads(filled.run("--dry-run", "--json").stdout)["plan"]
    assert filled.run("--plan", name).returncode == 0
    assert {row["rate"] for row in filled.rows()} >= {100 * number for number in range(1, 10)}


def test_the_story_of_a_booking_is_reported(filled):
    filled.book("J00003", rate="77")
    assert filled.run().returncode == 0
    story = filled.run("--explain", "J00003").stdout
    assert "  added\n" in story
    assert story.rstrip().endswith("-> 77")
    assert filled.run("--explain", "J99999").returncode == 1


def test_two_runs_at_once_are_no_failure_to_be_reported(filled):
    filled.fault(filled.google, on="sheets", hold=True)
    first = filled.start()
    assert wait_until(lambda: filled.watched.calls or first.poll() is not None, 60)
    assert first.poll() is None
    assert filled.run().returncode == 75
    filled.call("DELETE", f"{filled.google}/_local/faults")
    assert first.wait() == 0
    first.communicate()
