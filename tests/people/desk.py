"""One tab in Google's double, called in process: between every two requests of the sync people act on it.

With several hosts each has a memory of its own, and all share a store; a run that is killed says nothing more to it.
"""

import contextlib
import json
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from urllib.parse import unquote

import msgspec

from doubles.database import Database
from doubles.google import library, vault
from doubles.google.contract import sheets as contract
from doubles.google.errors import STATUSES, GoogleError
from doubles.google.faults import Faults
from doubles.google.requests import batch_update
from doubles.google.sheets import Asked, Sheets
from sync.api import failure
from sync.converge import Converge, Outside
from sync.failure import SyncFailed
from sync.held import holding
from sync.history import opened
from sync.plan import Policy, diff
from sync.run import printed_only
from sync.settings import Settings
from sync.sheet import Sheet
from tests.people.shared import Shared

COLUMNS = ("id", "arrival", "guest", "rate")
OURS = (*COLUMNS, "sync_state")
ACCOUNT = "sync@hotel.example"
READER = "guest@hotel.example"
TAB = 7
SETTINGS = Settings(bookings_url="http://b", spreadsheet_id="x", columns=COLUMNS, dates=("arrival",))
GOOGLE_ENDS = timedelta(seconds=180)
"""How long a call may be on its way."""


class Killed(BaseException):
    """The run's process is killed: nothing of it may catch this."""


class Desk:
    """The tab, the sync's memory in a folder, and a clock. `before` is called before each request of the sync, and
    `first` before the sync makes sure that it may send it.
    """

    def __init__(
        self, folder: Path, *, rows: int = 30, columns: int = 12, settings: Settings = SETTINGS, hosts: int = 1
    ) -> None:
        self.folder, self.settings = folder, settings
        self.shared = Shared(self._seconds) if hosts > 1 else None
        self.folders = [folder / f"host-{number}" for number in range(hosts)] if hosts > 1 else [folder]
        for each in self.folders:
            each.mkdir(exist_ok=True)
        self._told = []
        self._sheets = Sheets(
            library.Library(Database(Path(":memory:"), vault.TABLES + library.TABLES)), Faults(), None
        )
        size = {"rowCount": rows, "columnCount": columns}
        tab = {"properties": {"sheetId": TAB, "title": "Bookings", "gridProperties": size}}
        # Of the smallest grid: the double copies and keeps all of them at each change, and a usual one has 1000 rows.
        other = {"properties": {"sheetId": 0, "title": "Others", "gridProperties": {"rowCount": 1, "columnCount": 1}}}
        self._sheets.make({"sheets": [other, tab]}, "x", {ACCOUNT: "writer", READER: "reader"})
        self._now = datetime(2026, 5, 13, tzinfo=UTC)
        self._ids = 1000
        self.requests: list[str] = []
        self._late: list[tuple[int, tuple]] = []
        self.pauses: list[float] = []
        self.first = lambda: None
        self.before = lambda: None
        self.after = lambda: None
        self.watch = lambda: None

    # The sync's side

    def sync(self, source, host=0, printed="", **policy):
        """One run, in a process of its own memory. Returns what it wrote; raises what it would report.

        `printed`: the name of the plan to which it is held.
        """
        live = {key: (key, *cells) for key, cells in source.items()}
        known = Policy(arrival=1, **policy)
        settings = msgspec.structs.replace(self.settings, conflicts="sheet" if known.sheet_wins else "source")
        with opened(self.folders[host], OURS) as history, contextlib.ExitStack() as stack:
            call = partial(self.call, ready=self._ready(stack, history, host))
            outside = Outside(self._time, self.pauses.append, self._new_id, is_shared=bool(self.shared))
            work = Converge(Sheet(call, settings), history, outside, settings)
            compare = partial(_compare, live, known)
            compare = printed_only(printed, compare) if printed else compare
            return work.run(compare, live.keys(), planned_only=bool(printed))

    def preview(self, source):
        """What a dry run finds: the plan, and what is put right before it."""
        live = {key: (key, *cells) for key, cells in source.items()}
        with opened(self.folder, OURS) as history:
            work = Converge(Sheet(self.call, self.settings), history, Outside(self._time, None, None), self.settings)
            table = work.read()
            return diff(live, table.rows, history.base(), Policy(arrival=1)), work.restores(table)

    def _ready(self, stack, history, host):
        if not self.shared:
            return lambda path: None
        # As a run does: what another host's memory takes the place of is kept for readers before.
        self._told += [each for _, each in history.findings()]
        return stack.enter_context(holding(self.shared.at(host), history, self._seconds)).ready

    def told(self):
        found = list(self._told)
        for folder in self.folders:
            with opened(folder, OURS) as history:
                found += [each for _, each in history.findings()]
        return found

    def later(self, **span):
        if timedelta(**span) > GOOGLE_ENDS:
            self.arrive()
        self._now += timedelta(**span)

    def delay(self, requests):
        """The call that is made now gets no answer; Google carries it out before a later request of ours."""
        self._late.append((len(self.requests) + requests, self._calling))

    def arrive(self, until=None):
        """Google carries out what is on its way, all of it or what is due."""
        due = [each for each in self._late if until is None or each[0] <= until]
        self._late = [each for each in self._late if each not in due]
        for _, call in due:
            self.watch()
            # Its answer, or its refusal, reaches none.
            with contextlib.suppress(SyncFailed):
                self.carry_out(*call)
            self.watch()

    def _seconds(self):
        return self._now.timestamp()

    def _time(self):
        self._now += timedelta(seconds=1)
        return self._now

    def _new_id(self):
        self._ids += 1
        return self._ids

    def call(self, method, path="", query=None, body=None, ready=lambda path: None):
        """One call of the sync, which makes sure by `ready` that it may send it."""
        self.first()
        ready(path)
        self.requests.append(f"{method} {path}".strip())
        self.arrive(len(self.requests))
        self._calling = method, path, query, body
        self.before()
        self.watch()
        try:
            answer = self.carry_out(method, path, query, body)
        finally:
            self.watch()
        self.after()
        return answer

    def carry_out(self, method, path="", query=None, body=None, account=ACCOUNT):
        """Answer one call as Google would, without a socket."""
        operation, values = contract().find(method, f"/v4/spreadsheets/x{path}")
        asked = Asked({name: unquote(text) for name, text in values.items()}, list((query or {}).items()), account)
        try:
            answer = self._sheets.answer(operation, asked, body or b"")
        except GoogleError as error:
            status = _status(error)
            raise failure(status, {"message": error.message, "status": error.status}, "x") from None
        return json.loads(json.dumps(answer))

    # People's side

    def do(self, *requests):
        """People act; what Google refuses them has not happened."""
        try:
            self._sheets.edit("x", batch_update, {"body": {"requests": list(requests)}})
        except GoogleError as error:
            _status(error)
            return False
        return True

    def type(self, row, column, text):
        kind = "stringValue" if isinstance(text, str) else "numberValue"
        value = {"userEnteredValue": {kind: text}} if text != "" else {}
        start = {"sheetId": TAB, "rowIndex": row, "columnIndex": column}
        return self.do({"updateCells": {"start": start, "rows": [{"values": [value]}], "fields": "userEnteredValue"}})

    def insert(self, dimension, start, count=1):
        span = {"sheetId": TAB, "dimension": dimension, "startIndex": start, "endIndex": start + count}
        return self.do({"insertDimension": {"range": span}})

    def delete(self, dimension, start, count=1):
        span = {"sheetId": TAB, "dimension": dimension, "startIndex": start, "endIndex": start + count}
        return self.do({"deleteDimension": {"range": span}})

    def move(self, dimension, start, target, count=1):
        span = {"sheetId": TAB, "dimension": dimension, "startIndex": start, "endIndex": start + count}
        return self.do({"moveDimension": {"source": span, "destinationIndex": target}})

    def sort(self, column, descending=False):
        order = "DESCENDING" if descending else "ASCENDING"
        area = {"sheetId": TAB, "startRowIndex": 1}
        return self.do({"sortRange": {"range": area, "sortSpecs": [{"dimensionIndex": column, "sortOrder": order}]}})

    # What is there

    @property
    def tab(self):
        return self._sheets.library.get("x").sheet(TAB)

    def has(self, sheet_id):
        return any(sheet.id == sheet_id for sheet in self._sheets.library.get("x").sheets)

    @property
    def titles(self):
        return [sheet.title for sheet in self._sheets.library.get("x").sheets]

    def cells(self):
        """All values: (row, column) → value."""
        return {
            (r, c): cell.value
            for r, row in enumerate(self.tab.rows)
            for c, cell in row.items()
            if cell.value is not None
        }

    def rows(self):
        """The rows that name a booking, by header, in their order."""
        header = {c: cell.value for c, cell in self.tab.rows[0].items()}
        found = [{header.get(c): cell.value for c, cell in row.items()} for row in self.tab.rows[1:]]
        return [row for row in found if row.get("id") is not None]

    def column(self, name):
        return next(c for c, cell in self.tab.rows[0].items() if cell.value == name)


def _compare(live, policy, rows, base):
    return diff(live, rows, base, policy)


def _status(error):
    """The HTTP status of an error; what the double has not built ends the test: it is no answer of Google's."""
    status = STATUSES[error.status]
    if status == 501:
        raise NotImplementedError(error.message)
    return status
