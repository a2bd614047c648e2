"""People of the trial at the double of Google, beside the sync as a program."""

import csv
import io
import json
import os
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import urllib3

from dashboard import application as dashboard
from dashboard.stores.memory import MemoryStore
from doubles.bookings.generator import season
from doubles.google.services import create
from local.serve import running
from tests.tokens import accepting
from trial.people import Editor, Otherwise, People
from trial.transcript import Transcript
from wire.secret import Secret
from wire.types import SyncOutcome, SyncRun
from wire.values import read

pytestmark = pytest.mark.process
COLUMNS = ("id", "hotel", "guest", "arrival", "departure", "rate")
TOKEN = Secret("a-token-of-the-tests")
NOW = datetime(2026, 5, 13, 12, tzinfo=UTC)
SYNC = """[sync]
spreadsheet_id = "trial"
worksheet = "Sheet1"
sheets_url = "{url}/v4/spreadsheets"
token_url = "{url}/token"
dashboard_url = "{queue}"
columns = {columns}
[sync.source]
kind = "file"
path = "{home}/bookings.csv"
format = "csv"
"""


class Place:
    """A sheet of the double that an editor owns and the sync's account may write, and the sync as a program."""

    def __init__(self, home: Path, url: str, queue: str) -> None:
        self.home, self.url = home, url
        for name in ("state", "secrets"):
            (home / name).mkdir()
        self.ask("/_local/spreadsheets", {"id": "trial"})
        self.ask("/_local/spreadsheets/trial/share", {"account": "sync@hotel.example", "role": "writer"})
        (home / "secrets" / "port_sheet_token.json").write_text(json.dumps(self.token("sync@hotel.example")))
        (home / "secrets" / "dashboard_token").write_text(TOKEN.reveal())
        (home / "editor.json").write_text(json.dumps(self.token("")))
        (home / "jada.toml").write_text(SYNC.format(url=url, home=home, queue=queue, columns=json.dumps(COLUMNS)))
        rows = [[getattr(booking, name) for name in COLUMNS] for booking in season(1, date(2026, 1, 1), 12)]
        with (home / "bookings.csv").open("w", newline="") as file:
            csv.writer(file).writerows([COLUMNS, *rows])
        section = {"spreadsheet_id": "trial", "worksheet": "Sheet1", "token_url": f"{url}/token"}
        self.editor = Editor(home / "editor.json", {**section, "sheets_url": f"{url}/v4/spreadsheets"})
        self.said = io.StringIO()

    def ask(self, path, body):
        answer = urllib3.request("POST", self.url + path, json=body)
        assert answer.status < 300, answer.data
        return answer.json() if answer.data else None

    def token(self, account):
        return self.ask("/_local/tokens", {"account": account})

    def run(self):
        command = [sys.executable, "-m", "sync", "--settings", self.home / "jada.toml", "--state", self.home / "state"]
        environment = {"PATH": os.environ["PATH"], "CREDENTIALS_DIRECTORY": str(self.home / "secrets")}
        subprocess.run(command, env=environment, capture_output=True, check=False)
        return read(SyncRun, (self.home / "state" / "report.json").read_bytes())

    def people(self, run=None):
        return People(self.editor, run or self.run, Transcript(self.home / "t.txt", self.said, lambda: NOW))


@pytest.fixture
def place(tmp_path):
    queue = dashboard.create(MemoryStore(), accepting(TOKEN))
    with running(create(tmp_path / "google")) as url, running(queue) as address:
        yield Place(tmp_path, url, address)


def test_all_that_people_do_comes_out_as_it_must(place):
    assert place.people().act() == []
    said = place.said.getvalue()
    for name in ("a filter and another order", "two people at once", "a merge", "a protected range", "a Table"):
        assert f"after {name}: 12 bookings, each once, and 5 notes beside their own" in said


def test_a_sync_that_writes_where_it_must_not_is_seen(place):
    people = place.people(lambda: SyncRun(started_at="", finished_at="", outcome=SyncOutcome.CHANGED))
    place.run()
    people._note()
    with pytest.raises(Otherwise, match="came to changed , not failed sheet_merged"):
        people._merged()
    people._protected()
    assert people.untried == ["a protected range: the sync's account may edit it, for it owns the sheet"]


def test_a_note_at_another_booking_and_what_the_sync_left_are_seen(place):
    people = place.people()
    place.run()
    people._note()
    column = people._column("trial note")
    place.editor.edit({"moveDimension": {"source": people._range("ROWS", 1, 2), "destinationIndex": 4}})
    people._require_whole("a move of whole rows")
    mark = {"metadataId": 5, "metadataKey": "jada", "location": {"spreadsheet": True}, "visibility": "DOCUMENT"}
    place.editor.edit({"createDeveloperMetadata": {"developerMetadata": mark}})
    with pytest.raises(Otherwise, match="the sync left"):
        people._require_whole("a mark stayed")
    lookup = {"developerMetadataLookup": {"metadataId": 5}}
    place.editor.edit({"deleteDeveloperMetadata": {"dataFilter": lookup}})
    start = {"sheetId": people._tab, "rowIndex": 1, "columnIndex": column}
    rows = [{"values": [{"userEnteredValue": {"stringValue": "note of B0"}}]}]
    place.editor.edit({"updateCells": {"start": start, "rows": rows, "fields": "userEnteredValue"}})
    with pytest.raises(Otherwise, match="notes at the wrong booking"):
        people._require_whole("a note was put elsewhere")
