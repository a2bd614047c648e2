"""The sync as a process, between the booking system's and Google's doubles and the real dashboard."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import pytest
import urllib3
from starlette.concurrency import run_in_threadpool

from dashboard.application import create as dashboard
from dashboard.stores.sqlite import SqliteStore
from doubles.bookings.rest import create as bookings
from doubles.google.services import create as google
from local.serve import running
from tests.tokens import accepting
from wire.client import Client
from wire.secret import Secret
from wire.types import State

ROOT = Path(__file__).parents[3]
TOKEN = "dashboard-token-of-the-test"
HTTP = urllib3.PoolManager()


def is_write(call):
    return call.startswith("POST") and not call.endswith("ByDataFilter")


@dataclass
class Watched:
    """An application that notes each call of the Sheets API, and lets something happen once, just before a write."""

    app: Callable
    calls: list[str] = field(default_factory=list)
    before_write: Callable[[], object] | None = None

    async def __call__(self, scope, receive, send):
        if scope["type"] == "http" and scope["path"].startswith("/v4/"):
            self.calls.append(f"{scope['method']} {scope['path'].rpartition('/')[2]}")
            if is_write(self.calls[-1]) and self.before_write:
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

    def fails(self, kind, process=None):
        """Hold a run to its one line: the failure's name, its cause and its cure. Returns the run."""
        done = ended(process or self.start())
        (line,) = [line for line in done.stderr.splitlines() if line.startswith("[port-sheet]")]
        assert done.returncode != 0
        assert line.startswith(f"[port-sheet] {kind}: cause: ")
        assert "; cure: " in line
        return done

    def authenticate(self):
        """Run auth_ga as root would, and allow on the consent page as a person would."""
        secrets = self.folder / "secrets"
        (secrets / "client.json").write_text(json.dumps(self.call("GET", f"{self.google}/_local/client")))
        files = ["--client", secrets / "client.json", "--token", secrets / "port_sheet_token.json"]
        command = [
            sys.executable,
            "-m",
            "sync.auth_ga",
            *files,
            "--no-browser",
            "--no-sync",
            "--settings",
            self.folder / "jada.toml",
        ]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
            page = next(line.strip() for line in process.stdout if line.startswith("http"))
            form = {"decision": "allow"}
            # As a browser does: it follows the redirect with GET, and sends no form twice.
            answered = HTTP.request("POST", page, fields=form, encode_multipart=False, redirect=False)
            HTTP.request("GET", answered.headers["Location"])
            process.stdout.read()
        assert process.returncode == 0

    def reports(self):
        return Client(self.dashboard, Secret(TOKEN)).sync_runs()

    def report(self):
        return self.reports()[0]

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
        return [call for call in self.watched.calls if is_write(call)]


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
    page = dashboard(store, accepting(Secret(TOKEN)))
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
