"""auth_ga as a process, against the consent page of Google's double: a person is a few HTTP requests."""

import json
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import urllib3
from starlette.applications import Starlette
from starlette.responses import JSONResponse, RedirectResponse
from starlette.routing import Route

from doubles.google.app import create
from local.serve import running
from sync.auth_ga import main

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


def consent(folder, client_file, **form):
    """Start auth_ga, answer its consent page with `form`, and return its exit code and what it said."""
    files = ["--client", client_file, "--token", folder / "token.json"]
    command = [sys.executable, "-m", "sync.auth_ga", *files, "--port", "0", "--no-browser"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        said = []
        for line in process.stdout:
            said.append(line)
            if line.startswith("http"):
                HTTP.request("POST", line.strip(), fields=form, encode_multipart=False)
        return process.wait(), "".join(said)


def test_a_consent_puts_a_token_file_in_place_that_only_its_owner_reads(tmp_path, client_file):
    code, said = consent(tmp_path, client_file, decision="allow")
    assert code == 0, said
    token = json.loads((tmp_path / "token.json").read_text())
    assert token["granted_scopes"] == [SCOPE]
    assert {"refresh_token", "client_id", "client_secret", "issued_at"} <= token.keys()
    assert stat.S_IMODE((tmp_path / "token.json").stat().st_mode) == 0o600
    assert "systemctl start port-sheet-sync.service" in said


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
def test_the_seven_days_of_an_app_in_testing_are_stored_and_told(tmp_path, client_file):
    _, said = consent(tmp_path, client_file, decision="allow")
    assert "It dies in 7 days" in said
    assert 604000 < json.loads((tmp_path / "token.json").read_text())["refresh_token_expires_in"] <= 604800


def test_a_consent_that_is_denied_changes_nothing(tmp_path, client_file):
    (tmp_path / "token.json").write_text("before")
    code, said = consent(tmp_path, client_file, decision="deny")
    assert (code, "[auth_ga] consent_denied: cause: " in said) == (1, True)
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
    assert (code, f"[auth_ga] {kind}: cause: " in said) == (1, True)
    assert not (tmp_path / "token.json").exists()


async def allow_everything(request):
    query = request.query_params
    return RedirectResponse(f"{query['redirect_uri']}?code=c&state={query['state']}", 303)


def test_a_client_that_google_does_not_know_is_told_by_name(tmp_path, client_file):
    config = json.loads(client_file.read_text())
    config["installed"]["client_secret"] = "another"
    client_file.write_text(json.dumps(config))
    code, said = consent(tmp_path, client_file, decision="allow")
    assert (code, "client_invalid" in said) == (1, True)


def test_nobody_answering_is_told_as_that(tmp_path, client_file, capfd):
    files = ["--client", str(client_file), "--token", str(tmp_path / "token.json")]
    command = [
        sys.executable,
        "-m",
        "sync.auth_ga",
        *files,
        "--no-browser",
        "--timeout",
        "1",
        "--port",
        "0",
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, "consent_timeout" in done.stderr) == (1, True)


def test_a_port_that_is_taken_is_told_by_its_number(tmp_path, client_file, capsys):
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = str(holder.getsockname()[1])
        assert main(["--client", str(client_file), "--token", str(tmp_path / "t"), "--port", port, "--no-browser"]) == 1
    assert f"port {port}" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["", "{}", '{"installed": {"client_id": "x"}}'])
def test_a_file_that_is_no_client_is_refused_before_anybody_is_asked(tmp_path, capsys, text):
    (tmp_path / "client.json").write_text(text)
    assert main(["--client", str(tmp_path / "client.json"), "--token", str(tmp_path / "t"), "--no-browser"]) == 1
    assert "client_unreadable" in capsys.readouterr().err


def test_a_code_is_never_sent_over_plain_http_to_somewhere_else(tmp_path, capsys):
    client = {"client_id": "x", "client_secret": "y", "auth_uri": "http://a.example", "token_uri": "http://a.example"}
    (tmp_path / "client.json").write_text(json.dumps({"installed": client}))
    assert main(["--client", str(tmp_path / "client.json"), "--token", str(tmp_path / "t"), "--no-browser"]) == 1
    assert "client_insecure" in capsys.readouterr().err
