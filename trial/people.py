"""People beside the sync in a real sheet: what they do to it, one thing after the other, and what it must come to.

They act by another account than the sync's, at a copy of the sheet. Before each run they delete one booking's row, so
that the run has something to write. All but that, and a column of notes, is taken back.
"""

import json
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import urllib3

from trial.transcript import Transcript
from wire.types import SyncOutcome, SyncRun

KEY, STATE = "id", "sync_state"
NOTES = "trial note"
NOTED = 5
"""Bookings that a note is put beside."""
TOGETHER = 6
"""Edits of each of two people while a run goes on."""
RUNS = 3
"""After people are done, the sync has so many runs to find nothing more to do."""
Run = Callable[[], SyncRun]
Request = dict[str, Any]


class Otherwise(Exception):
    """The sync, or Google, did something else than what was expected."""


class Editor:
    """Edits one spreadsheet by an account's own token, as `port_sheet_token.json` has it."""

    def __init__(self, token: Path, sync: Mapping[str, Any]) -> None:
        self._held = json.loads(token.read_text(encoding="utf-8"))
        self._token_url = sync.get("token_url", "https://oauth2.googleapis.com/token")
        sheets = sync.get("sheets_url", "https://sheets.googleapis.com/v4/spreadsheets").rstrip("/")
        self._url = f"{sheets}/{sync['spreadsheet_id']}"
        self.worksheet = sync.get("worksheet", "Bookings")
        self._http = urllib3.PoolManager(timeout=60, retries=False)
        self._access: str | None = None

    def edit(self, *requests: Request) -> list[Any]:
        """Carry out edits, all or none; return Google's replies. Raises `Otherwise`."""
        replies: list[Any] = self._call("POST", ":batchUpdate", {"requests": [*requests]})["replies"]
        return replies

    def tab(self, title: str | None = None) -> dict[str, Any]:
        """Return the properties of a tab. Raises `Otherwise`."""
        for sheet in self._call("GET", "?fields=sheets.properties")["sheets"]:
            if sheet["properties"]["title"] == (title or self.worksheet):
                return {"sheetId": 0, **sheet["properties"]}
        raise Otherwise(f"there is no tab {title or self.worksheet!r}")

    def left(self) -> list[str]:
        """Return what the sync should have taken away again: copies of the tab, and marks. Raises `Otherwise`."""
        found = self._call("GET", "?fields=sheets.properties.title,developerMetadata")
        titles = [str(sheet["properties"]["title"]) for sheet in found["sheets"]]
        marks = [each for each in found.get("developerMetadata", ()) if each.get("metadataKey") == "jada"]
        return [title for title in titles if title.startswith(".jada")] + [str(each) for each in marks]

    def rows(self) -> list[list[Any]]:
        """Return all values of the tab, the header first."""
        chosen = {"dataFilters": [{"gridRange": {"sheetId": self.tab()["sheetId"]}}], "majorDimension": "ROWS"}
        found = self._call("POST", "/values:batchGetByDataFilter", chosen).get("valueRanges", [])
        rows: list[list[Any]] = found[0]["valueRange"].get("values", []) if found else []
        return rows

    def _call(self, method: str, path: str, body: object = None) -> Any:
        headers = {"Authorization": f"Bearer {self._token()}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        answer = self._http.request(method, self._url + path, body=data, headers=headers)
        if answer.status != 200:
            raise Otherwise(f"Google answered {answer.status}: {answer.data[:300].decode(errors='replace')}")
        return answer.json()

    def _token(self) -> str:
        if self._access is None:
            names = ("client_id", "client_secret", "refresh_token")
            fields = {"grant_type": "refresh_token", **{name: self._held[name] for name in names}}
            answer = self._http.request("POST", self._token_url, fields=fields, encode_multipart=False)
            if answer.status != 200:
                raise Otherwise(f"the editor's token was refused with {answer.status}")
            self._access = str(answer.json()["access_token"])
        return self._access


@dataclass
class People:
    """People at the sheet, and the sync's next run at their word."""

    editor: Editor
    run: Run
    transcript: Transcript
    untried: list[str] = field(default_factory=list)

    def act(self) -> list[str]:
        """Do all of it, one after the other; return what could not be tried. Raises `Otherwise` at the first that did
        not come out as it must.
        """
        self._require_calm("before")
        self._note()
        for name, step in (
            ("a filter and another order", self._filtered),
            ("two people at once", self._together),
            ("a merge", self._merged),
            ("a protected range", self._protected),
            ("a Table", self._table),
        ):
            step()
            self._require_whole(name)
        return self.untried

    def _filtered(self) -> None:
        area = {"sheetId": self._tab, "startRowIndex": 0}
        order = [{"dimensionIndex": self._column(KEY), "sortOrder": "DESCENDING"}]
        self.editor.edit({"setBasicFilter": {"filter": {"range": area, "sortSpecs": order}}})
        self._delete_one()
        self._require_outcome(self.run(), SyncOutcome.CHANGED)
        self.editor.edit({"clearBasicFilter": {"sheetId": self._tab}})

    def _together(self) -> None:
        self._delete_one()
        free, below = self._column(NOTES) + 1, self._range("ROWS", 1, 2)
        self._make_column(free)

        def insert() -> None:
            for _ in range(TOGETHER):
                self.editor.edit({"insertDimension": {"range": below}})
                self.editor.edit({"deleteDimension": {"range": below}})

        def write() -> None:
            for n in range(TOGETHER):
                self.editor.edit(_typed(self._tab, 0, free, f"looked {n + 1}"))

        failed: list[BaseException] = []
        people = [threading.Thread(target=_noting(failed, act)) for act in (insert, write)]
        for person in people:
            person.start()
        self.run()  # what it comes to beside them is its own matter: what counts is how all ends
        for person in people:
            person.join()
        if failed:
            raise Otherwise(f"an edit failed: {failed[0]}")

    def _merged(self) -> None:
        # Over the last booking and the empty row below it: where new rows go.
        last = max(self._places().values())
        place = self._column(STATE) - 1
        area = {"sheetId": self._tab, "startRowIndex": last, "endRowIndex": last + 2}
        area |= {"startColumnIndex": place, "endColumnIndex": place + 1}
        self._make_row(last + 1)
        self._delete_one()
        moved = {**area, "startRowIndex": last - 1, "endRowIndex": last + 1}  # a row above is gone
        self.editor.edit({"mergeCells": {"range": moved, "mergeType": "MERGE_ALL"}})
        self._require_outcome(self.run(), SyncOutcome.FAILED, "sheet_merged")
        self.editor.edit({"unmergeCells": {"range": moved}})

    def _protected(self) -> None:
        area = {"sheetId": self._tab, "startRowIndex": 1, "endRowIndex": 2}
        wanted = {"range": area, "description": "only ours", "editors": {"users": []}}
        (reply,) = self.editor.edit({"addProtectedRange": {"protectedRange": wanted}})
        number = reply["addProtectedRange"]["protectedRange"]["protectedRangeId"]
        self._delete_one(after=1)
        run = self.run()
        self.editor.edit({"deleteProtectedRange": {"protectedRangeId": number}})
        if run.outcome is SyncOutcome.CHANGED:
            # Google lets an owner edit what others protect.
            self.untried.append("a protected range: the sync's account may edit it, for it owns the sheet")
        else:
            self._require_outcome(run, SyncOutcome.FAILED, "sheet_protected")

    def _table(self) -> None:
        # Google's API deletes a Table only with its cells: all comes back from a copy of the tab.
        kept = f"{self.editor.worksheet} before the trial's Table"
        (reply,) = self.editor.edit({"duplicateSheet": {"sourceSheetId": self._tab, "newSheetName": kept}})
        copy = {"sheetId": reply["duplicateSheet"]["properties"]["sheetId"], "title": self.editor.worksheet}
        try:
            area = {"sheetId": self._tab, "startRowIndex": 0, "endRowIndex": max(self._places().values()) + 1}
            area |= {"startColumnIndex": 0, "endColumnIndex": self._column(STATE) + 1}
            self.editor.edit({"addTable": {"table": {"name": "TrialBookings", "range": area}}})
            self._delete_one()
            self._require_outcome(self.run(), SyncOutcome.FAILED, "sheet_table")
        finally:
            self.editor.edit(
                {"deleteSheet": {"sheetId": self._tab}},
                {"updateSheetProperties": {"properties": copy, "fields": "title"}},
            )

    def _note(self) -> None:
        place = len(self._header)
        self._make_column(place)
        noted = sorted(self._places().items())[:NOTED]
        self.editor.edit(
            _typed(self._tab, 0, place, NOTES),
            *(_typed(self._tab, row, place, f"note of {key}") for key, row in noted),
        )

    def _delete_one(self, after: int = 0) -> None:
        """Delete the row of a booking that has no note: the next run puts it back."""
        rows = self.editor.rows()
        noted = {row for row, cells in enumerate(rows) if any(str(cell).startswith("note of") for cell in cells)}
        row = min(row for row in self._places().values() if row not in noted and row > after)
        self.editor.edit({"deleteDimension": {"range": self._range("ROWS", row, row + 1)}})

    def _require_outcome(self, run: SyncRun, outcome: SyncOutcome, error: str | None = None) -> None:
        if run.outcome is not outcome or run.error != error:
            wanted = f"{outcome.value} {error or ''}".strip()
            raise Otherwise(f"the sync came to {run.outcome.value} {run.error or ''}, not {wanted}: {run.cause or ''}")

    def _require_calm(self, when: str) -> None:
        for _ in range(RUNS):
            run = self.run()
            if run.outcome is SyncOutcome.UNCHANGED:
                return
        raise Otherwise(f"{when}: the sync came to {run.outcome.value} after {RUNS} runs: {run.cause or ''}")

    def _require_whole(self, after: str) -> None:
        """Let the sync come to rest, then look: each booking is there once, each note beside its own."""
        self._require_calm(after)
        rows, key, note = self.editor.rows(), self._column(KEY), self._column(NOTES)
        counts = Counter(str(row[key]) for row in rows[1:] if len(row) > key and row[key] != "")
        twice = [name for name, count in counts.items() if count > 1]
        found = {str(row[note]): str(row[key]) for row in rows[1:] if len(row) > note and row[note]}
        wrong = [text for text, name in found.items() if text != f"note of {name}"]
        if twice or wrong or len(found) != NOTED:
            raise Otherwise(f"after {after}: twice {twice}, notes at the wrong booking {wrong}, {len(found)} notes")
        if left := self.editor.left():
            raise Otherwise(f"after {after}: the sync left {left}")
        said = f"{len(counts)} bookings, each once, and {len(found)} notes beside their own"
        self.transcript.say(f"after {after}: {said}")

    @property
    def _tab(self) -> int:
        return int(self.editor.tab()["sheetId"])

    @property
    def _header(self) -> Sequence[Any]:
        return (self.editor.rows() or [[]])[0]

    def _column(self, name: str) -> int:
        if name not in self._header:
            raise Otherwise(f"the sheet has no column {name!r}")
        return list(self._header).index(name)

    def _places(self) -> dict[str, int]:
        """Where each booking's row is, from 0."""
        key = self._column(KEY)
        rows = enumerate(self.editor.rows())
        return {str(row[key]): n for n, row in rows if n and len(row) > key and row[key] != ""}

    def _range(self, dimension: str, start: int, end: int) -> dict[str, Any]:
        return {"sheetId": self._tab, "dimension": dimension, "startIndex": start, "endIndex": end}

    def _make_column(self, place: int) -> None:
        self._grow("COLUMNS", place + 1 - self.editor.tab()["gridProperties"]["columnCount"])

    def _make_row(self, place: int) -> None:
        self._grow("ROWS", place + 1 - self.editor.tab()["gridProperties"]["rowCount"])

    def _grow(self, dimension: str, count: int) -> None:
        if count > 0:
            self.editor.edit({"appendDimension": {"sheetId": self._tab, "dimension": dimension, "length": count}})


def _typed(tab: int, row: int, column: int, text: str) -> Request:
    start = {"sheetId": tab, "rowIndex": row, "columnIndex": column}
    value = {"userEnteredValue": {"stringValue": text}}
    return {"updateCells": {"start": start, "rows": [{"values": [value]}], "fields": "userEnteredValue"}}


def _noting(failed: list[BaseException], act: Callable[[], None]) -> Callable[[], None]:
    def acting() -> None:
        try:
            act()
        except Exception as error:  # noqa: BLE001 - of another thread: it is raised where the run is judged
            failed.append(error)

    return acting
