import json
from datetime import UTC, datetime, timedelta

import pytest
import urllib3

from doubles.google.services import create
from local.serve import running
from sync.credentials import read, refresh
from sync.failure import SyncFailed

HTTP = urllib3.PoolManager()
NOW = datetime(2026, 11, 21, tzinfo=UTC)


@pytest.fixture
def google(tmp_path):
    with running(create(tmp_path / "google")) as url:
        yield url


@pytest.fixture
def issued(google, tmp_path):
    def issue(**order):
        info = HTTP.request("POST", f"{google}/_local/tokens", json=order).json()
        path = tmp_path / "port_sheet_token.json"
        path.write_text(json.dumps({**info, "token_uri": "https://elsewhere.example/token"}))
        return read(path, f"{google}/token")

    return issue


@pytest.fixture
def pauses():
    return []


def opens(google, access):
    """Whether the Sheets API takes a token: then it says that the spreadsheet is not there."""
    bearer = {"Authorization": f"Bearer {access.token.reveal()}"}
    return HTTP.request("GET", f"{google}/v4/spreadsheets/none", headers=bearer).status == 404


def test_a_token_becomes_access_to_spreadsheets_at_the_configured_endpoint(google, issued, pauses):
    assert opens(google, refresh(issued(), None, NOW, pauses.append))


def test_the_day_of_its_death_is_known_from_the_consent(issued):
    token = issued(testing=True)
    assert timedelta(days=6, hours=23) < token.dies_at - token.issued_at <= timedelta(days=7)
    assert issued().dies_at is None


def test_two_tokens_have_two_fingerprints_which_are_no_part_of_them(issued):
    one, other = issued(), issued()
    assert one.fingerprint != other.fingerprint
    assert one.fingerprint not in one.form(NOW)["refresh_token"]


def test_a_token_with_other_scopes_alone_is_refused_by_them(issued, pauses):
    with pytest.raises(SyncFailed, match=r"it carries .*drive\.file") as failed:
        refresh(issued(scopes=["https://www.googleapis.com/auth/drive.file"]), None, NOW, pauses.append)
    assert (failed.value.kind, pauses) == ("token_scope", [])


def test_one_502_of_the_token_endpoint_is_no_failure_yet(google, issued, pauses):
    token = issued()
    HTTP.request("POST", f"{google}/_local/faults", json={"on": "token", "html": 502, "times": 2})
    assert opens(google, refresh(token, None, NOW, pauses.append))
    assert pauses == [2, 4]


def test_a_502_that_lasts_is_reported_as_an_outage(google, issued, pauses):
    token = issued()
    HTTP.request("POST", f"{google}/_local/faults", json={"on": "token", "html": 502})
    with pytest.raises(SyncFailed) as failed:
        refresh(token, None, NOW, pauses.append)
    assert (failed.value.kind, len(pauses)) == ("token_endpoint_down", 2)


def test_an_endpoint_that_does_not_answer_is_reported_by_name(issued, tmp_path, pauses):
    issued()
    with pytest.raises(SyncFailed) as failed:
        refresh(read(tmp_path / "port_sheet_token.json", "http://127.0.0.1:9/token"), None, NOW, pauses.append)
    assert failed.value.kind == "token_endpoint_unreachable"


@pytest.mark.parametrize("text", ["[]", "{}", '{"type": "service_account"}', '{"refresh_token": "hush"'])
def test_a_file_that_is_no_token_is_reported_without_its_content(tmp_path, text):
    (tmp_path / "t.json").write_text(text)
    with pytest.raises(SyncFailed) as failed:
        read(tmp_path / "t.json", "http://g/token")
    assert failed.value.kind == "token_unreadable"
    assert "hush" not in str(failed.value)


@pytest.fixture
def keyed(google, tmp_path):
    """A service account's key as a token, its file, and its address."""
    key = HTTP.request("POST", f"{google}/_local/service-accounts", json={"name": "port-sheet"}).json()
    path = tmp_path / "port_sheet_token.json"
    path.write_text(json.dumps(key))
    return read(path, f"{google}/token"), path, key["client_email"]


def test_a_service_accounts_key_becomes_access_wherever_its_token_address_is(google, keyed, pauses):
    """The audience that is signed stays Google's own address: the double refuses any other."""
    token, _, email = keyed
    assert opens(google, refresh(token, None, datetime.now(UTC), pauses.append))
    assert (token.account, token.dies_at) == (email, None)


def test_a_key_that_was_replaced_is_reported_as_that(google, keyed, pauses):
    token, _, email = keyed
    HTTP.request("POST", f"{google}/_local/service-accounts", json={"name": "port-sheet"})
    with pytest.raises(SyncFailed, match=f"the key of the service account {email} is no longer valid") as failed:
        refresh(token, None, NOW, pauses.append)
    assert failed.value.kind == "account_key_dead"


def test_a_service_account_that_was_deleted_is_reported_as_that(google, keyed, pauses):
    token, _, email = keyed
    HTTP.request("DELETE", f"{google}/_local/service-accounts/{email}")
    with pytest.raises(SyncFailed, match="was deleted or disabled") as failed:
        refresh(token, None, NOW, pauses.append)
    assert failed.value.kind == "account_gone"


def test_two_keys_have_two_fingerprints(google, keyed):
    one, path, _ = keyed
    path.write_bytes(HTTP.request("POST", f"{google}/_local/service-accounts", json={"name": "port-sheet"}).data)
    assert read(path, f"{google}/token").fingerprint != one.fingerprint


@pytest.mark.parametrize("text", [None, "", "\n"])
def test_a_missing_file_is_reported_as_missing(tmp_path, text):
    if text is not None:
        (tmp_path / "t.json").write_text(text)
    with pytest.raises(SyncFailed) as failed:
        read(tmp_path / "t.json", "http://g/token")
    assert failed.value.kind == "token_missing"
