"""auth_ga as a process, against the consent page of Google's double: a person is a few HTTP requests."""

import json
import socket
import stat
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
import urllib3
from starlette.applications import Starlette
from starlette.responses import JSONResponse, RedirectResponse
from starlette.routing import Route

from doubles.google.services import create
from local.serve import running
from sync.auth_ga import _synced, main
from sync.failure import SyncFailed
from sync.report import write
from wire.types import SyncRun

ROOT = Path(__file__).parents[3]
SCOPE = "https://www.googleapis.com/auth/spreadsheets"
HTTP = urllib3.PoolManager()


@pytest.fixture(params=[False])
def google(request, tmp_path):
    with running(create(tmp_path / "google", testing=request.param)) as url:
        yield url


@pytest.fixture
def client_file(google, tmp_path):
    path = tmp_path / "client.json"
    path.write_bytes(HTTP.request("GET", f"{google}/_local/client").data)
    return path


def answer(page, **form):
    """Answer a consent page as a browser does: it follows the redirect with GET, and sends no form twice."""
    answered = HTTP.request("POST", page, fields=form, encode_multipart=False, redirect=False)
    HTTP.request("GET", answered.headers["Location"])


def consent(folder, client_file, *more, **form):
    """Start auth_ga, answer its consent page with `form`, and return its exit code and what it said."""
    files = ["--client", client_file, "--token", folder / "token.json"]
    command = [sys.executable, "-m", "sync.auth_ga", *files, "--no-browser", "--no-sync", "--timeout", "120", *more]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        said = []
        for line in process.stdout:
            said.append(line)
            if line.startswith("http"):
                answer(line.strip(), **form)
        return process.wait(), "".join(said)


def test_a_consent_puts_a_token_file_in_place_that_only_its_owner_reads(tmp_path, client_file):
    code, said = consent(tmp_path, client_file, decision="allow")
    assert code == 0, said
    token = json.loads((tmp_path / "token.json").read_text())
    assert token["granted_scopes"] == [SCOPE]
    assert {"refresh_token", "client_id", "client_secret", "issued_at"} <= token.keys()
    assert stat.S_IMODE((tmp_path / "token.json").stat().st_mode) == 0o600
    assert "Not proven by a write: " in said


def test_no_secret_appears_in_what_it_says(tmp_path, client_file):
    _, said = consent(tmp_path, client_file, decision="allow")
    token = json.loads((tmp_path / "token.json").read_text())
    assert token["refresh_token"] not in said
    assert token["client_secret"] not in said


def test_the_token_before_is_replaced_whole_and_nothing_else_is_left(tmp_path, client_file):
    (tmp_path / "token.json").write_text("{}")
    consent(tmp_path, client_file, decision="allow")
    assert sorted(path.name for path in tmp_path.glob("*token.json*")) == ["token.json"]
    assert "refresh_token" in json.loads((tmp_path / "token.json").read_text())


@pytest.mark.parametrize("google", [True], indirect=True)
def test_the_seven_days_of_an_app_in_testing_are_stored_and_reported(tmp_path, client_file):
    _, said = consent(tmp_path, client_file, decision="allow")
    assert "It dies in 7 days" in said
    assert 604000 < json.loads((tmp_path / "token.json").read_text())["refresh_token_expires_in"] <= 604800


def test_a_consent_that_is_denied_changes_nothing(tmp_path, client_file):
    (tmp_path / "token.json").write_text("before")
    code, said = consent(tmp_path, client_file, decision="deny")
    assert (code, "[auth_ga] consent_denied: cause: " in said) == (10, True)
    assert (tmp_path / "token.json").read_text() == "before"


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ({"scope": "https://www.googleapis.com/auth/drive.file", "refresh_token": "r"}, "consent_scope"),
        ({"scope": SCOPE}, "no_refresh_token"),
        ({"error": "invalid_grant"}, "consent_failed"),
    ],
)
def test_tokens_that_are_not_what_we_need_are_refused_by_name(tmp_path, answer, kind):
    tokens = {"access_token": "a", "expires_in": 3599, "token_type": "Bearer", **answer}

    async def exchange(_request):
        return JSONResponse(tokens, 400 if "error" in answer else 200)

    routes = [Route("/auth", allow_everything, methods=["POST"]), Route("/token", exchange, methods=["POST"])]
    with running(Starlette(routes=routes)) as url:
        installed = {"client_id": "x", "client_secret": "y", "auth_uri": f"{url}/auth", "token_uri": f"{url}/token"}
        (tmp_path / "client.json").write_text(json.dumps({"installed": installed}))
        code, said = consent(tmp_path, tmp_path / "client.json")
    assert (code, f"[auth_ga] {kind}: cause: " in said) == (10, True)
    assert not (tmp_path / "token.json").exists()


async def allow_everything(request):
    query = request.query_params
    return RedirectResponse(f"{query['redirect_uri']}?code=c&state={query['state']}", 303)


def test_a_client_that_google_does_not_know_is_reported_by_name(tmp_path, client_file):
    config = json.loads(client_file.read_text())
    config["installed"]["client_secret"] = "another"
    client_file.write_text(json.dumps(config))
    code, said = consent(tmp_path, client_file, decision="allow")
    assert (code, "client_invalid" in said) == (10, True)


def test_no_answer_is_reported_as_that(tmp_path, client_file, capfd):
    files = ["--client", str(client_file), "--token", str(tmp_path / "token.json")]
    command = [sys.executable, "-m", "sync.auth_ga", *files, "--no-browser", "--no-sync", "--timeout", "1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, "consent_timeout" in done.stderr) == (10, True)


def test_a_port_that_is_taken_is_reported_by_its_number(tmp_path, client_file, capsys):
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = str(holder.getsockname()[1])
        assert (
            main(["--client", str(client_file), "--token", str(tmp_path / "t"), "--port", port, "--no-browser"]) == 10
        )
    assert f"port {port}" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["", "{}", '{"installed": {"client_id": "x"}}'])
def test_a_file_that_is_no_client_is_refused_before_anybody_is_asked(tmp_path, capsys, text):
    (tmp_path / "client.json").write_text(text)
    assert main(["--client", str(tmp_path / "client.json"), "--token", str(tmp_path / "t"), "--no-browser"]) == 10
    assert "client_unreadable" in capsys.readouterr().err


def test_a_code_is_never_sent_over_plain_http_to_somewhere_else(tmp_path, capsys):
    client = {"client_id": "x", "client_secret": "y", "auth_uri": "http://a.example", "token_uri": "http://a.example"}
    (tmp_path / "client.json").write_text(json.dumps({"installed": client}))
    assert main(["--client", str(tmp_path / "client.json"), "--token", str(tmp_path / "t"), "--no-browser"]) == 10
    assert "client_insecure" in capsys.readouterr().err


@dataclass
class Sheet:
    """A spreadsheet of the double's, the settings that name it, and the operator's folder."""

    google: str
    folder: Path
    client: Path

    def consent(self, **form):
        (self.folder / "token.json").write_text("before")
        return consent(self.folder, self.client, "--settings", self.folder / "jada.toml", **form)

    @property
    def token(self):
        return (self.folder / "token.json").read_text()

    def titles(self):
        token = HTTP.request("POST", f"{self.google}/_local/tokens", json={}).json()["token"]
        url = f"{self.google}/v4/spreadsheets/{self.id}"
        book = HTTP.request("GET", url, headers={"Authorization": f"Bearer {token}"}).json()
        return [sheet["properties"]["title"] for sheet in book["sheets"]]


@pytest.fixture
def sheet(google, client_file, tmp_path):
    made = Sheet(google, tmp_path, client_file)
    token = HTTP.request("POST", f"{google}/_local/tokens", json={}).json()["token"]
    headers = {"Authorization": f"Bearer {token}"}
    made.id = HTTP.request("POST", f"{google}/v4/spreadsheets", json={}, headers=headers).json()["spreadsheetId"]
    (tmp_path / "jada.toml").write_text(
        f'[sync]\nbookings_url = "http://b"\nspreadsheet_id = "{made.id}"\nsheets_url = "{google}/v4/spreadsheets"\n'
    )
    return made


def test_a_token_is_proven_by_a_write_that_leaves_nothing(sheet):
    before = sheet.titles()
    code, said = sheet.consent(decision="allow")
    assert (code, f"Proven: it may write into the spreadsheet {sheet.id}" in said) == (0, True)
    assert sheet.titles() == before


def test_an_account_that_may_not_edit_the_sheet_is_reported_and_the_old_token_untouched(sheet):
    code, said = sheet.consent(decision="allow", account="stranger@example.com")
    assert (code, "[auth_ga] account_wrong: cause: the account that you signed in as may not" in said) == (10, True)
    assert sheet.token == "before"


def test_two_at_once_are_refused_and_the_first_goes_on(sheet):
    files = ["--client", sheet.client, "--token", sheet.folder / "token.json"]
    command = [sys.executable, "-m", "sync.auth_ga", *files, "--no-browser", "--no-sync"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as first:
        page = next(line.strip() for line in first.stdout if line.startswith("http"))
        second = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert (second.returncode, "consent_busy" in second.stderr) == (10, True)
        answer(page, decision="allow")
        first.stdout.read()
    assert first.returncode == 0


def test_a_code_that_expired_is_reported_and_the_old_token_untouched(sheet):
    HTTP.request("POST", f"{sheet.google}/_local/faults", json={"on": "token", "error": "invalid_grant"})
    code, said = sheet.consent(decision="allow")
    assert (code, "[auth_ga] consent_failed: " in said, sheet.token) == (10, True, "before")


def test_it_ends_with_the_operator_s_connection(sheet):
    files = ["--client", sheet.client, "--token", sheet.folder / "token.json"]
    command = [sys.executable, "-m", "sync.auth_ga", *files, "--no-browser", "--no-sync", "--end-with-input"]
    done = subprocess.run(command, cwd=ROOT, input="", capture_output=True, text=True, check=False)
    assert (done.returncode, "consent_ended" in done.stderr) == (10, True)


def report_of(outcome, started, **more):
    return SyncRun(started_at=started, finished_at=started, outcome=outcome, **more)


@pytest.mark.parametrize("late", [False, True])
def test_the_sync_s_result_counts_only_when_it_began_with_the_new_token(tmp_path, late):
    written = datetime(2026, 5, 13, 14, 0, tzinfo=UTC)
    runs = [report_of("failed", "2026-05-13T13:59:00Z", error="token_dead")] if late else []
    runs.append(report_of("changed", "2026-05-13T14:00:00Z", rows_read=3))
    run = _synced(written, lambda: write(tmp_path, runs.pop(0)), tmp_path)
    assert (run.outcome, run.rows_read, runs) == ("changed", 3, [])


def test_while_another_host_has_the_sync_it_is_waited_for(tmp_path):
    written, pauses = datetime(2026, 5, 13, 14, 0, tzinfo=UTC), []
    runs = [report_of("elsewhere", "2026-05-13T14:00:01Z")] * 3 + [report_of("changed", "2026-05-13T14:01:00Z")]
    run = _synced(written, lambda: write(tmp_path, runs.pop(0)), tmp_path, pauses.append)
    assert (run.outcome, pauses) == ("changed", [15, 15, 15])


def test_a_host_that_never_gets_the_sync_proves_no_token(tmp_path):
    run = report_of("elsewhere", "2026-05-13T14:00:01Z")
    with pytest.raises(SyncFailed, match="no run of the sync ended with the new token"):
        _synced(datetime(2026, 5, 13, 14, 0, tzinfo=UTC), lambda: write(tmp_path, run), tmp_path, lambda _: None)


@pytest.mark.parametrize(
    ("run", "named"),
    [
        (report_of("failed", "2026-05-13T14:00:01Z", error="sheet_header", cause="c", cure="d"), "sheet_header"),
        (report_of("changed", "2026-05-13T13:59:59Z"), "no run of the sync ended with the new token"),
    ],
)
def test_a_sync_that_did_not_succeed_after_the_consent_is_no_success(tmp_path, run, named):
    with pytest.raises(SyncFailed, match=named):
        _synced(datetime(2026, 5, 13, 14, 0, tzinfo=UTC), lambda: write(tmp_path, run), tmp_path)
