"""No run fails silently: each failure has its name, its cause and its cure, and reaches the dashboard."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from local.process import wait_until


def test_a_revoked_token_is_reported_with_cause_and_cure_everywhere(filled):
    filled.call("POST", f"{filled.google}/_local/tokens/revoke")
    line = filled.fails("token_dead").stderr
    run = filled.report()
    assert "fab reauth" in line
    assert "it last worked at" in line
    assert (run.outcome, run.error) == ("failed", "token_dead")
    assert run.cause in line
    assert run.cure in line


def test_a_token_without_the_scope_is_reported_before_any_call(filled):
    filled.renew_token(scopes=["https://www.googleapis.com/auth/drive.file"])
    assert "drive.file" in filled.fails("token_scope").stderr
    assert filled.watched.calls == []


def test_after_the_consent_of_auth_ga_the_next_run_converges_and_the_alarm_ends(filled):
    filled.book("J00003", rate="77")
    filled.call("POST", f"{filled.google}/_local/tokens/revoke")
    filled.fails("token_dead")
    assert [task.waiting.kind for task in filled.alarms()] == ["alarm"]
    filled.authenticate()
    assert filled.run().returncode == 0
    (row,) = [row for row in filled.rows() if row["id"] == "J00003"]
    assert (row["rate"], filled.alarms()) == (77, [])


def test_a_token_that_will_die_is_announced(filled):
    filled.renew_token(testing=True)
    assert filled.run().returncode == 0
    dies_at = datetime.fromisoformat(filled.report().token_dies_at)
    assert timedelta(days=6) < dies_at - datetime.now(UTC) < timedelta(days=7)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ({"on": "token", "error": "invalid_client"}, "client_invalid"),
        ({"on": "token", "error": "deleted_client"}, "client_deleted"),
        ({"on": "token", "error": "invalid_rapt"}, "reauth_demanded"),
        ({"on": "token", "error": "admin_policy_enforced"}, "admin_policy"),
        ({"on": "token", "html": 502}, "token_endpoint_down"),
        ({"on": "sheets", "error": "PERMISSION_DENIED"}, "sheet_forbidden"),
        ({"on": "sheets", "error": "SERVICE_DISABLED"}, "sheets_api_disabled"),
        ({"on": "sheets", "error": "FAILED_PRECONDITION"}, "sheet_is_excel"),
    ],
)
def test_googles_refusals_are_reported_by_name(filled, fault, kind):
    filled.fault(filled.google, **fault)
    filled.fails(kind)
    assert (filled.report().error, filled.writes()) == (kind, [])


def test_a_spreadsheet_or_a_tab_that_is_not_there_is_reported_by_name(filled):
    filled.configure(worksheet="Buchungen")
    filled.fails("worksheet_missing")
    filled.configure(spreadsheet_id="nowhere")
    filled.fails("sheet_missing")


def test_a_renamed_header_of_ours_is_refused_by_name(filled):
    filled.person(range="Bookings!N1", value="price")
    assert "rate" in filled.fails("sheet_header").stderr
    assert filled.writes() == []


def test_a_booking_system_that_is_down_is_reported_and_the_next_run_catches_up(filled):
    filled.fault(filled.bookings, status=500)
    filled.fails("bookings_down")
    filled.call("DELETE", f"{filled.bookings}/_local/faults")
    assert filled.run().returncode == 0


def test_a_suddenly_empty_source_is_refused(filled):
    before = filled.rows()
    filled.fault(filled.bookings, empty=True)
    filled.fails("source_empty")
    assert filled.rows() == before


def test_an_empty_source_is_refused_even_when_the_memory_is_lost(filled):
    (filled.folder / "state" / "history.sqlite").unlink()
    filled.fault(filled.bookings, empty=True)
    filled.fails("source_empty")


def test_a_dashboard_that_is_down_does_not_fail_a_good_run(filled):
    filled.configure(dashboard_url="http://127.0.0.1:9")
    done = filled.run()
    assert done.returncode == 0
    assert "the dashboard did not take this run's report" in done.stdout


def test_a_token_that_is_taken_away_in_the_middle_of_a_run_is_reported(filled):
    filled.book("J00001", rate="9")
    filled.watched.before_write = lambda: filled.call("POST", f"{filled.google}/_local/tokens/revoke")
    filled.fails("token_dead")


def test_a_run_that_is_stopped_says_so_and_when_the_last_good_one_was(filled):
    filled.fault(filled.google, on="sheets", hang_s=60)
    process = filled.start()
    assert wait_until(lambda: filled.watched.calls, 60)
    process.terminate()
    done = filled.fails("stopped", process)
    assert "the sheet was last proven to be in step at 20" in done.stdout
    assert filled.report().error == "stopped"


def test_a_run_that_is_stopped_while_it_waits_to_report_a_sheet_in_step_is_no_failure(filled):
    filled.configure(dashboard_url="http://127.0.0.1:9", report_again_s=300)
    (filled.folder / "secrets" / "notify_targets").write_text("mail = mailtos://nobody")
    process = filled.start()
    said = iter(process.stdout.readline, "")
    assert any("the dashboard did not take this run's report" in line for line in said)
    process.terminate()
    rest, errors = process.communicate()
    assert (process.returncode, errors) == (0, "")
    assert "stopped before this run was reported" in rest


def test_settings_that_are_wrong_are_reported_by_the_name_of_their_key(town):
    town.configure(edits="drop")
    assert "sync.edits" in town.fails("settings_wrong").stderr


def test_a_missing_secret_is_reported_by_its_name(town):
    (town.folder / "secrets" / "bookings_token").unlink()
    assert "bookings_token" in town.fails("credential_missing").stderr
    assert town.report().error == "credential_missing"


def test_no_secret_is_ever_printed(filled):
    folder = filled.folder / "secrets"
    token = json.loads((folder / "port_sheet_token.json").read_text())
    bare = [(folder / name).read_text().strip() for name in ("bookings_token", "dashboard_token")]
    filled.call("POST", f"{filled.google}/_local/tokens/revoke")
    said = "".join((done := filled.run()).stdout + done.stderr for _ in range(2))
    for secret in (token["refresh_token"], token["client_secret"], *bare):
        assert secret not in said
