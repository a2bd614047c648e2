"""The consent page and the token endpoint, driven by Google's own libraries."""

import base64
import hashlib
from urllib.parse import parse_qsl, urlencode, urlsplit

import google.auth.transport.requests
import pytest
from bs4 import BeautifulSoup
from google.auth.exceptions import RefreshError
from google.oauth2.credentials import Credentials
from google_auth_oauthlib.flow import Flow

from doubles.google import services
from local import serve
from tests.clocks import Clock
from tests.plain import HTTP, client_of

SHEETS = "https://www.googleapis.com/auth/spreadsheets"
DRIVE = "https://www.googleapis.com/auth/drive.file"
BACK = "http://localhost:8085/"
VERIFIER = "a-verifier-of-at-least-forty-three-characters-long"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
WEEK_S = 7 * 24 * 3600


@pytest.fixture
def clock():
    return Clock(1_790_000_000.0)


@pytest.fixture
def url(tmp_path, clock):
    with serve.running(services.create(tmp_path, clock=clock)) as url:
        yield url


@pytest.fixture
def api(url):
    with client_of(url, timeout=30) as client:
        yield client


@pytest.fixture
def client(api):
    return api.get("/_local/client").json()["installed"]


@pytest.fixture
def query(client):
    return {
        "client_id": client["client_id"],
        "redirect_uri": BACK,
        "response_type": "code",
        "scope": SHEETS,
        "state": "s",
        "access_type": "offline",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    }


def consent(api, query, **form):
    response = api.post(f"/o/oauth2/auth?{urlencode(query)}", data={"decision": "allow", **form})
    assert response.status_code == 302
    address = urlsplit(response.headers["location"])
    return dict(parse_qsl(address.query))


def exchange(api, client, code, **more):
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": BACK,
        "code_verifier": VERIFIER,
        "client_id": client["client_id"],
        "client_secret": client["client_secret"],
    }
    return api.post("/token", data={**form, **more})


def credential(api, **order):
    info = api.post("/_local/tokens", json=order).json()
    made = Credentials.from_authorized_user_info(info)
    return made.with_token_uri(info["token_uri"])


def refresh(credentials):
    credentials.refresh(google.auth.transport.requests.Request())


def test_googles_own_flow_gets_a_credential_that_refreshes(api, monkeypatch):
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")  # a double has no TLS
    config = api.get("/_local/client").json()
    flow = Flow.from_client_config(config, [SHEETS], redirect_uri=BACK, autogenerate_code_verifier=True)
    address, state = flow.authorization_url(access_type="offline", prompt="consent")
    page = HTTP.post(address, data={"decision": "allow"})
    assert dict(parse_qsl(urlsplit(page.headers["location"]).query))["state"] == state
    flow.fetch_token(authorization_response=page.headers["location"])
    refresh(flow.credentials.with_token_uri(config["installed"]["token_uri"]))
    assert flow.oauth2session.token["expires_in"] == 3599


def test_a_person_sees_the_scopes_and_two_buttons(api, query):
    page = api.get(f"/o/oauth2/auth?{urlencode({**query, 'scope': f'{SHEETS} {DRIVE}'})}")
    form = BeautifulSoup(page.text, "html.parser").form
    assert [box["value"] for box in form.select("input[type=checkbox]")] == [SHEETS, DRIVE]
    assert [button["value"] for button in form.select("button")] == ["allow", "deny"]


def test_a_person_who_denies_sends_the_program_back_with_an_error(api, query):
    assert consent(api, query, decision="deny") == {"state": "s", "error": "access_denied"}
    assert consent(api, query, scope="")["error"] == "access_denied"


def test_a_person_may_grant_less_than_asked(api, client, query):
    back = consent(api, {**query, "scope": f"{SHEETS} {DRIVE}"}, scope=DRIVE)
    assert back["scope"] == DRIVE
    assert exchange(api, client, back["code"]).json()["scope"] == DRIVE


@pytest.mark.parametrize(
    ("change", "status", "error"),
    [
        ({"client_id": "other"}, 401, "invalid_client"),
        ({"redirect_uri": "https://localhost/"}, 400, "redirect_uri_mismatch"),
        ({"redirect_uri": "http://example.invalid/"}, 400, "redirect_uri_mismatch"),
        ({"redirect_uri": "urn:ietf:wg:oauth:2.0:oob"}, 400, "redirect_uri_mismatch"),
        ({"response_type": "token"}, 400, "unsupported_response_type"),
        ({"scope": " "}, 400, "invalid_request"),
        ({"code_challenge_method": "S512"}, 400, "invalid_request"),
    ],
)
def test_a_request_for_consent_that_makes_no_sense_never_leaves_google(api, query, change, status, error):
    address = f"/o/oauth2/auth?{urlencode({**query, **change})}"
    for page in (api.get(address), api.post(address, data={"decision": "allow"})):
        assert (page.status_code, error in page.text) == (status, True)


@pytest.mark.parametrize(
    ("change", "status", "error"),
    [
        ({"code_verifier": "another-verifier"}, 400, "invalid_grant"),
        ({"redirect_uri": "http://localhost:9/"}, 400, "redirect_uri_mismatch"),
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"client_id": "wrong"}, 401, "invalid_client"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer"}, 400, "invalid_grant"),
    ],
)
def test_an_exchange_that_does_not_fit_the_consent_is_refused(api, client, query, change, status, error):
    response = exchange(api, client, consent(api, query)["code"], **change)
    assert (response.status_code, response.json()["error"]) == (status, error)


def test_a_code_is_good_once_and_for_ten_minutes(api, client, query, clock):
    code = consent(api, query)["code"]
    assert exchange(api, client, code).status_code == 200
    assert exchange(api, client, code).json()["error"] == "invalid_grant"
    late = consent(api, query)["code"]
    clock.now += 600
    assert exchange(api, client, late).json()["error"] == "invalid_grant"


def test_a_second_consent_gives_no_refresh_token_unless_it_is_asked_for_anew(api, client, query):
    def given(**change):
        return "refresh_token" in exchange(api, client, consent(api, {**query, **change})["code"]).json()

    assert not given(access_type="online")
    assert [given(), given(), given(prompt="consent")] == [True, False, True]


def test_an_access_token_lives_an_hour(api, clock):
    token = api.post("/_local/tokens").json()["token"]
    headers = {"Authorization": f"Bearer {token}"}
    assert api.get("/v4/spreadsheets/none", headers=headers).status_code == 404
    clock.now += 3600
    assert api.get("/v4/spreadsheets/none", headers=headers).status_code == 401


def test_a_credential_in_testing_says_so_and_dies_after_seven_days(api, clock):
    info = api.post("/_local/tokens", json={"testing": True}).json()
    assert (info["refresh_token_expires_in"], info["issued_at"]) == (WEEK_S - 1, "2026-09-21T14:13:20Z")
    credentials = Credentials.from_authorized_user_info(info).with_token_uri(info["token_uri"])
    clock.now += WEEK_S - 1
    refresh(credentials)
    clock.now += 1
    with pytest.raises(RefreshError, match="invalid_grant"):
        refresh(credentials)


def test_a_revoked_credential_is_an_invalid_grant_with_its_body(api):
    credentials = credential(api)
    assert api.post("/_local/tokens/revoke").json() == {"revoked": 2}
    with pytest.raises(RefreshError) as caught:
        refresh(credentials)
    assert caught.value.args[1] == {
        "error": "invalid_grant",
        "error_description": "Token has been expired or revoked.",
    }


def test_access_tokens_can_be_ended_alone(api):
    credentials = credential(api)
    assert api.post("/_local/tokens/revoke", json={"access_only": True}).json() == {"revoked": 1}
    refresh(credentials)


def test_a_credential_with_too_few_scopes_refreshes_fine(api):
    credentials = credential(api, scopes=[DRIVE])
    refresh(credentials)
    info = api.post("/_local/tokens", json={"scopes": [DRIVE]}).json()
    asking = Credentials.from_authorized_user_info(info, scopes=[SHEETS]).with_token_uri(info["token_uri"])
    refresh(asking)
    assert asking.granted_scopes == [DRIVE]


@pytest.mark.parametrize(
    ("error", "status", "retryable", "parts"),
    [
        ("invalid_grant", 400, False, 2),
        ("invalid_scope", 400, False, 2),
        ("admin_policy_enforced", 400, False, 2),
        ("invalid_client", 401, False, 2),
        ("deleted_client", 401, False, 2),
        ("unauthorized_client", 401, False, 2),
        ("invalid_rapt", 400, False, 1),
        ("rate_limited", 429, True, 2),
        ("internal_failure", 500, True, 2),
    ],
)
def test_every_error_of_the_token_endpoint_reaches_googles_library(api, error, status, retryable, parts):
    credentials = credential(api)
    api.post("/_local/faults", json={"error": error})
    assert api.post("/token").status_code == status
    with pytest.raises(RefreshError) as caught:
        refresh(credentials)
    assert (caught.value.retryable, len(caught.value.args)) == (retryable, parts)


def test_the_words_of_an_error_can_be_chosen_as_google_lets_them_decay(api):
    credentials = credential(api)
    api.post("/_local/faults", json={"error": "invalid_grant", "description": "Bad Request", "times": 1})
    with pytest.raises(RefreshError, match="invalid_grant: Bad Request"):
        refresh(credentials)
    refresh(credentials)


def test_a_page_instead_of_json_is_one_text(api):
    credentials = credential(api)
    api.post("/_local/faults", json={"html": 502})
    with pytest.raises(RefreshError) as caught:
        refresh(credentials)
    assert caught.value.args[0].startswith("<!DOCTYPE html>")
    api.delete("/_local/faults")
    refresh(credentials)


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/_local/faults", {"error": "no_such"}, "error"),
        ("/_local/faults", {"on": "drive"}, "on"),
        ("/_local/faults", {"on": "sheets", "error": "invalid_grant"}, "error"),
        ("/_local/tokens", {"scope": []}, "scope"),
        ("/_local/tokens/revoke", [], "body"),
    ],
)
def test_a_control_call_that_makes_no_sense_is_refused_by_name(api, path, body, field):
    response = api.post(path, json=body)
    assert (response.status_code, response.json()["field"]) == (400, field)
