import re
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sync.failure import (
    Exit,
    Record,
    SyncFailed,
    bookings_failure,
    memory_failure,
    refresh_failure,
    sheets_failure,
    transport_failure,
)

NOW = datetime(2026, 5, 13, 3, 0, tzinfo=UTC)


def refused(error, description="Bad Request"):
    return {"error": error, "error_description": description}


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (refused("invalid_grant"), "token_dead"),
        (refused("invalid_grant", "Invalid JWT: Token must be a short-lived token"), "clock_off"),
        (refused("invalid_client", "Unauthorized"), "client_invalid"),
        (refused("unauthorized_client"), "client_invalid"),
        (refused("deleted_client"), "client_deleted"),
        (refused("invalid_scope"), "token_scope"),
        (refused("admin_policy_enforced"), "admin_policy"),
        (refused("something_new"), "token_refused"),
        (refused("internal_failure"), "token_endpoint_down"),
        (refused("invalid_grant") | {"error_subtype": "invalid_rapt"}, "reauth_demanded"),
        (refused("invalid_grant") | {"error_subtype": "rapt_required"}, "reauth_demanded"),
        ({"error": {"code": 500}}, "token_endpoint_down"),
        ({}, "token_endpoint_down"),
    ],
)
def test_a_failed_refresh_has_a_name_for_each_answer_of_the_endpoint(body, kind):
    assert refresh_failure(body, 400).kind == kind


def test_a_refusal_is_never_reported_as_a_bad_request_alone():
    failed = refresh_failure(refused("invalid_grant"), 400, Record(NOW))
    assert "no longer valid" in failed.cause
    assert "(invalid_grant: Bad Request)" in failed.cause
    assert "fab reauth" in failed.cure


@pytest.mark.parametrize(
    ("record", "cause"),
    [
        (Record(NOW, NOW - timedelta(days=8), NOW - timedelta(days=1)), "was over at 2026-05-12 03:00 UTC"),
        (Record(NOW, NOW - timedelta(days=7), NOW - timedelta(seconds=1)), "publishing status is Testing"),
        (Record(NOW, NOW - timedelta(days=7, hours=5)), "7 days old"),
        (Record(NOW, NOW - timedelta(days=300), None, NOW - timedelta(days=200)), "not used for six months"),
        (Record(NOW, NOW - timedelta(days=30), None, NOW - timedelta(hours=1)), "last worked at 2026-05-13 02:00 UTC"),
    ],
)
def test_our_own_record_narrows_why_a_token_died(record, cause):
    assert cause in refresh_failure(refused("invalid_grant"), 400, record).cause


def reason(name, **metadata):
    return {"status": "PERMISSION_DENIED", "details": [{"reason": name, "metadata": metadata}], "message": "no"}


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, {"status": "FAILED_PRECONDITION", "message": "not supported"}, "sheet_is_excel"),
        (400, {"message": "Unable to parse range: 'Bookings'"}, "worksheet_missing"),
        (400, {"message": "Invalid requests[0]"}, "sheets_refused"),
        (401, {"message": "invalid credentials"}, "sheet_unauthorized"),
        (403, {"status": "PERMISSION_DENIED", "message": "The caller does not have permission"}, "sheet_forbidden"),
        (403, reason("ACCESS_TOKEN_SCOPE_INSUFFICIENT"), "token_scope"),
        (403, reason("SERVICE_DISABLED", activationUrl="https://go.example"), "sheets_api_disabled"),
        (404, {"message": "Requested entity was not found."}, "sheet_missing"),
        (429, {"message": "Quota exceeded"}, "sheets_quota"),
        (503, {"message": "<html>"}, "sheets_down"),
    ],
)
def test_an_answer_of_the_sheets_api_has_a_name(status, body, kind):
    assert sheets_failure(status, body, "abc").kind == kind


def test_only_what_may_pass_is_tried_again():
    assert [sheets_failure(status, {}, "abc").wait_s > 0 for status in (400, 403, 404, 429, 500, 503)] == [
        *(False, False, False),
        *(True, True, True),
    ]


def test_a_disabled_api_is_cured_where_google_says():
    assert (
        "https://go.example"
        in sheets_failure(403, reason("SERVICE_DISABLED", activationUrl="https://go.example"), "a").cure
    )


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, "bookings_token"), (403, "bookings_token"), (503, "bookings_down"), (404, "bookings_refused")],
)
def test_an_answer_of_the_booking_system_has_a_name(status, kind):
    assert bookings_failure(status, "http://b", "").kind == kind


def test_a_certificate_that_is_not_valid_yet_points_at_the_clock():
    error = OSError("[SSL: CERTIFICATE_VERIFY_FAILED] certificate is not yet valid")
    assert transport_failure("sheets", error).kind == "clock_off"
    assert transport_failure("sheets", OSError("refused")).kind == "sheets_unreachable"


def test_a_failure_is_one_line_whatever_the_other_side_said():
    assert "\n" not in str(refresh_failure(refused("a\nb", "c\nd"), 400))


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("token_dead", 10),
        ("client_deleted", 10),
        ("reauth_demanded", 10),
        ("sheets_api_disabled", 10),
        ("sheet_forbidden", 11),
        ("worksheet_missing", 11),
        ("sheets_quota", 12),
        ("token_endpoint_down", 12),
        ("bookings_down", 13),
        ("source_empty", 13),
        ("clock_off", 14),
        ("memory_damaged", 14),
        ("stopped", 14),
        ("sheets_refused", 15),
        ("sync_fault", 15),
        ("already_running", 75),
        ("settings_wrong", 78),
        ("something_new", 15),
    ],
)
def test_each_class_of_failure_has_its_exit_code(kind, code):
    assert SyncFailed(kind, "", "").exit == code


def test_every_name_that_the_sync_can_give_a_failure_has_a_class():
    """A name without one would be taken for a fault of the sync."""
    named = set()
    for path in (Path(__file__).parents[3] / "sync").rglob("*.py"):
        named |= set(re.findall(r'SyncFailed\(\s*"([a-z_]+)"', path.read_text(encoding="utf-8")))
    assert {kind for kind in named if SyncFailed(kind, "", "").exit == Exit.FAULT} == {"sheets_refused", "sync_fault"}
    assert len(named) > 20


@pytest.mark.parametrize(
    ("error", "kind", "cure"),
    [
        (sqlite3.DatabaseError("file is not a database"), "memory_damaged", "for f in /s/history.sqlite*; do mv $f"),
        (sqlite3.DatabaseError("database disk image is malformed"), "memory_damaged", "history.sqlite"),
        (sqlite3.OperationalError("database or disk is full"), "memory_unusable", "df -h /s"),
        (OSError(28, "No space left on device"), "memory_unusable", "df -h /s"),
    ],
)
def test_a_memory_that_is_damaged_is_told_from_a_disk_that_is_full(error, kind, cure):
    failed = memory_failure(error, "/s")
    assert failed.kind == kind
    assert cure in failed.cure
