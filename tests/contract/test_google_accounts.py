"""Several accounts, and service accounts, driven by google-auth."""

import time

import google.auth.transport.requests
import pytest
from google.auth.exceptions import RefreshError
from google.oauth2 import service_account

from doubles.google import services
from local import serve
from tests.plain import HTTP

SHEETS = "https://www.googleapis.com/auth/spreadsheets"


@pytest.fixture
def url(tmp_path):
    with serve.running(services.create(tmp_path)) as url:
        yield url


@pytest.fixture
def key_file(url):
    return HTTP.post(f"{url}/_local/service-accounts", json={"name": "jada-sync"}).json()


def token(key_file, url, scopes=(SHEETS,)):
    """What google-auth gets for a key file; the assertion is meant for Google's own address, wherever it is sent."""
    found = service_account.Credentials.from_service_account_info(key_file, scopes=scopes)
    found._token_uri = f"{url}/token"
    found.refresh(google.auth.transport.requests.Request())
    return found.token


def status(url, key, access, method="GET", path=""):
    headers = {"Authorization": f"Bearer {access}"}
    return HTTP.request(method, f"{url}/v4/spreadsheets/{key}{path}", headers=headers).status_code


def made(url, **more):
    return HTTP.post(f"{url}/_local/spreadsheets", json={"id": "season", **more}).json()["id"]


def test_a_service_account_sees_a_spreadsheet_only_when_it_is_shared_with_it(url, key_file):
    key, access = made(url), token(key_file, url)
    share = {"account": key_file["client_email"], "role": "reader"}
    assert status(url, key, access) == 403
    HTTP.post(f"{url}/_local/spreadsheets/{key}/share", json=share)
    assert (status(url, key, access), status(url, key, access, "POST", "/values/A1:clear")) == (200, 403)
    HTTP.post(f"{url}/_local/spreadsheets/{key}/share", json={**share, "role": "writer"})
    assert status(url, key, access, "POST", "/values/A1:clear") == 200


def test_an_account_keeps_what_it_made(url):
    access = HTTP.post(f"{url}/_local/tokens", json={"account": "ada@hotel.example"}).json()["token"]
    other = HTTP.post(f"{url}/_local/tokens", json={"account": "bob@hotel.example"}).json()["token"]
    key = HTTP.post(f"{url}/v4/spreadsheets", json={}, headers={"Authorization": f"Bearer {access}"}).json()
    assert [status(url, key["spreadsheetId"], each) for each in (access, other)] == [200, 403]


def test_a_service_account_that_was_deleted_gets_no_token(url, key_file):
    HTTP.delete(f"{url}/_local/service-accounts/{key_file['client_email']}")
    with pytest.raises(RefreshError) as failed:
        token(key_file, url)
    assert failed.value.args[1] == {"error": "invalid_grant", "error_description": "Invalid grant: account not found"}


def test_an_older_key_of_an_account_gets_no_token(url, key_file):
    HTTP.post(f"{url}/_local/service-accounts", json={"name": "jada-sync"})
    with pytest.raises(RefreshError, match=r"Invalid JWT Signature\."):
        token(key_file, url)


def test_an_assertion_that_was_made_long_ago_is_refused_by_its_time(url, key_file, tmp_path):
    late = services.create(tmp_path, clock=lambda: time.time() + 7200)
    with serve.running(late) as later, pytest.raises(RefreshError, match="iat and exp"):
        token(key_file, later)


def test_a_scope_that_is_none_is_refused(url, key_file):
    with pytest.raises(RefreshError) as failed:
        token(key_file, url, ("spreadsheets",))
    assert failed.value.args[1]["error"] == "invalid_scope"


@pytest.mark.parametrize("assertion", ["", "a.b.c", "e30.e30.e30"])
def test_what_is_no_assertion_is_refused(url, assertion):
    form = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": assertion}
    answer = HTTP.post(f"{url}/token", data=form)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
