"""Scenarios as values: what people do between the sync's requests, and what is checked at the end of each.

Every value that people type, and every value of ours, is a text that exists once: so a lost one can be told from a
moved one, and one of ours in a wrong place from one in its own.
"""

from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import strategies as st

from sync.batch import is_copy
from sync.failure import SyncFailed
from tests.people.desk import TAB, Desk, Killed

_NEAR = st.integers(0, 11)
_ACTS = st.one_of(
    # What our write is about to change, or just changed.
    st.tuples(st.just("type"), st.integers(1, 5), st.integers(2, 3)),
    st.tuples(st.just("type"), _NEAR, _NEAR),
    st.tuples(st.just("insert rows"), _NEAR, st.integers(1, 3)),
    st.tuples(st.just("delete rows"), _NEAR, st.integers(1, 2)),
    st.tuples(st.just("move rows"), _NEAR, _NEAR),
    st.tuples(st.just("sort"), _NEAR, st.booleans()),
    st.tuples(st.just("insert columns"), _NEAR, st.integers(1, 2)),
    st.tuples(st.just("move columns"), _NEAR, _NEAR),
    st.tuples(st.just("delete column"), _NEAR, st.none()),
    st.tuples(st.just("cut"), st.tuples(_NEAR, _NEAR), st.tuples(_NEAR, _NEAR)),
    st.tuples(st.just("merge"), _NEAR, _NEAR),
    st.tuples(st.just("rename"), st.none(), st.none()),
    st.tuples(st.just("filter"), _NEAR, st.none()),
    st.tuples(st.just("hide"), _NEAR, st.none()),
    st.tuples(st.just("protect"), _NEAR, st.none()),
    st.tuples(st.just("table"), _NEAR, _NEAR),
    st.tuples(st.just("freeze"), st.integers(0, 2), st.none()),
    st.tuples(st.just("validate"), _NEAR, st.none()),
    st.tuples(st.just("band"), _NEAR, st.none()),
    st.tuples(st.just("note"), _NEAR, _NEAR),
    st.tuples(st.just("delete copies"), st.none(), st.none()),
)
_FATES = st.one_of(
    st.sampled_from(["kill before", "kill after", "lose before", "lose after"]),
    # It is carried out so many of our requests later, perhaps in the next run.
    st.tuples(st.sampled_from(["late", "kill late"]), st.integers(1, 5)).map(lambda fate: f"{fate[0]} {fate[1]}"),
)
_FLEET_FATES = st.one_of(
    _FATES,
    st.sampled_from(["stands still", "stands still sending", "store before", "store after"]),
)
"""The host stands still for half an hour, before it makes sure that it may send a request or after it, and another host
has a run; or the store that the hosts share fails once, before or after it did what was asked."""
_ONE = st.just(())
_WHEN = st.sampled_from([0, 1, 2, 2, 2, 2, 3, 3, 4, 5, 6, 7, 8, 9])
"""Before which request; the third is the first write of a run that was not disturbed."""


@dataclass(frozen=True)
class Scenario:
    """How many bookings there are, which change, what people do before each request, and what befalls a request.

    `hosts`: which host has each run, in turn; none is a sync of one host that shares nothing.
    """

    bookings: int
    changed: frozenset[int]
    new: int
    gone: int
    acts: tuple[tuple[int, tuple], ...]
    fates: tuple[tuple[int, str], ...] = ()
    sheet_wins: bool = False
    hosts: tuple[int, ...] = ()


def fleets():
    """Strategy: the same with two or three hosts, which take over from each other."""
    return scenarios(fates=_FLEET_FATES, hosts=st.lists(st.integers(0, 2), min_size=2, max_size=6).map(tuple))


def scenarios(acts=_ACTS, fates=_FATES, hosts=_ONE):
    """Strategy: some acts of people and some faults, each before or after a request of a number."""
    return st.builds(
        Scenario,
        bookings=st.integers(3, 6),
        changed=st.frozensets(st.integers(1, 6), max_size=4),
        new=st.integers(0, 3),
        gone=st.integers(0, 1),
        acts=st.lists(st.tuples(_WHEN, acts), max_size=6).map(tuple),
        fates=st.lists(st.tuples(_WHEN, fates), max_size=2).map(tuple),
        sheet_wins=st.booleans(),
        hosts=hosts,
    )


def tidied():
    """Strategy: the same, with a write that is killed, late or without an answer, whose copy users delete then."""

    def made(base, fate, when):
        deleted = tuple((at, ("delete copies", None, None)) for at in (when, when + 1))
        return replace(base, acts=(*base.acts, *deleted), fates=(fate, *base.fates[:1]))

    fates = [
        *((at, f"kill late {after}") for at, after in ((2, 1), (2, 3), (3, 1), (3, 2))),
        *((2, "kill after"), (3, "kill after"), (2, "lose after"), (3, "late 2")),
    ]
    return st.builds(made, scenarios(), st.sampled_from(fates), st.integers(3, 6))


@dataclass
class Played:
    """What came of a scenario: how its last run ended, and what was violated."""

    ended: str
    violations: list[str] = field(default_factory=list)
    kills: int = 0
    takeovers: int = 0


def play(scenario: Scenario) -> Played:
    """Play a scenario in a folder of its own."""
    # In memory where there is such a folder: a kill here is an exception, and what fsync is for cannot happen.
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with TemporaryDirectory(dir=memory) as folder:
        return _Play(Path(folder), scenario).played()


class _Play:
    def __init__(self, folder, scenario):
        self.desk, self.scenario = Desk(folder, hosts=3 if scenario.hosts else 1), scenario
        self.runs, self.takeovers = 0, 0
        self.number, self.kills, self.step, self._still = 0, 0, 0, False
        self.lost, self.astray, self.failed = set(), Counter(), set()
        self._before = None
        self.source = self._source(1, range(1, scenario.bookings + 1))
        self.desk.sync(self.source)
        self._furnish()
        keep = range(1 + scenario.gone, scenario.bookings + scenario.new + 1)
        self.source = self._source(1, keep) | {
            k: v for k, v in self._source(2, keep).items() if int(k[1:]) in scenario.changed
        }
        self.desk.watch = self._watch

    @staticmethod
    def _source(version, numbers):
        return {f"B{n}": (f"2026-05-{n:02}", f"s:B{n}:guest:{version}", f"s:B{n}:rate:{version}") for n in numbers}

    def _furnish(self):
        """People's note beside our columns, a total below, and a table far to the right."""
        height = self.scenario.bookings + 1
        self.desk.type(0, 5, "note")
        for row in range(1, height):
            self.desk.type(row, 5, self._token())
        self.desk.type(height, 2, self._token())
        self.desk.type(height, 3, self._token())
        for row in range(3, 6):
            self.desk.type(row, 8, self._token())

    def played(self):
        # A run that was killed or that failed is followed by the next one, beside the same people.
        for _ in range(3):
            self._run()
            self.desk.later(minutes=self.number % 2 * 30)
        self.desk.first = self.desk.before = self.desk.after = lambda: None
        ended = "none"
        # People have gone; what stands in the way of the sync is for them to see to, and told.
        for _ in range(4):
            self.desk.later(minutes=30)
            ended = self._run()
            if ended == "in step":
                break
        if ended == "in step":
            # Nothing can be on its way any more: what stood in the way of it goes.
            self.desk.later(minutes=30)
            ended = self._run()
        found = [*self._lost_values(), *self._strays(), *self._bookings(ended), *self._copies(ended)]
        return Played(ended, found, self.kills, self.takeovers)

    def _run(self):
        if self.step == 0:
            self.desk.first, self.desk.before, self.desk.after = self._stand_still, self._act, self._befall
            self.step = 1
        hosts = self.scenario.hosts or (0,)
        host, before = hosts[self.runs % len(hosts)], hosts[(self.runs - 1) % len(hosts)]
        self.runs += 1
        self.takeovers += host != before
        return self._ran(host)

    def _ran(self, host):
        try:
            self.desk.sync(self.source, host, sheet_wins=self.scenario.sheet_wins)
        except SyncFailed as failed:
            self.failed.add(failed.kind)
            return failed.kind
        except Killed:
            self.kills += 1
            return "killed"
        return "in step"

    # People and faults

    def _fate(self):
        n = len(self.desk.requests) - self._first
        return next((fate for when, fate in self.scenario.fates if when == n), "none")

    @property
    def _first(self):
        if not hasattr(self, "_at"):
            self._at = len(self.desk.requests)
        return self._at

    def _stand_still(self):
        n = len(self.desk.requests) + 1 - self._first
        fate = next((fate for when, fate in self.scenario.fates if when == n), "none")
        if fate.startswith("store "):
            self.desk.shared.faults.append(fate.removeprefix("store "))
        if fate == "stands still":
            self._meanwhile()

    def _meanwhile(self):
        """Half an hour passes, and another host has a run."""
        if self._still:
            return
        self._still = True
        self.desk.later(minutes=30)
        self.takeovers += 1
        # People go on beside the other host too, but nothing more befalls it.
        after, self.desk.after = self.desk.after, lambda: None
        self._ran((self.scenario.hosts[(self.runs - 1) % len(self.scenario.hosts)] + 1) % 3)
        self.desk.after = after

    def _act(self):
        n = len(self.desk.requests) - self._first
        for when, act in self.scenario.acts:
            if when == n:
                self._do(*act)
        how, _, after = self._fate().rpartition("late ")
        if after.isdecimal():
            self.desk.delay(int(after))
        if self._fate() == "stands still sending":
            self._meanwhile()
        if self._fate() == "kill before" or how == "kill ":
            raise Killed
        if self._fate() == "lose before" or after.isdecimal():
            raise SyncFailed("sheets_unreachable", "x", "y", wait_s=1)

    def _befall(self):
        if self._fate() == "kill after":
            raise Killed
        if self._fate() == "lose after":
            raise SyncFailed("sheets_unreachable", "x", "y", wait_s=1)

    def _token(self):
        self.number += 1
        return f"p{self.number}"

    def _do(self, what, one, two):
        desk = self.desk
        acts = {
            "type": lambda: desk.type(one, two, self._token()),
            "insert rows": lambda: desk.insert("ROWS", one, two),
            "delete rows": lambda: desk.delete("ROWS", one, two),
            "move rows": lambda: desk.move("ROWS", one, two),
            "sort": lambda: desk.sort(one, two),
            "insert columns": lambda: desk.insert("COLUMNS", one, two),
            "move columns": lambda: desk.move("COLUMNS", one, two),
            "delete column": lambda: desk.delete("COLUMNS", one),
            "cut": lambda: desk.do({"cutPaste": {"source": _cell(*one), "destination": _at(*two)}}),
            "merge": lambda: desk.do({"mergeCells": {"range": _cell(one, two, rows=2)}}),
            "rename": lambda: desk.do(
                {"updateSheetProperties": {"properties": {"sheetId": TAB, "title": self._token()}, "fields": "title"}}
            ),
            "filter": lambda: desk.do(
                {"setBasicFilter": {"filter": {"range": {"sheetId": TAB, "endRowIndex": one + 1}}}}
            ),
            "hide": lambda: desk.do(
                {
                    "updateDimensionProperties": {
                        "range": {"sheetId": TAB, "dimension": "ROWS", "startIndex": one, "endIndex": one + 1},
                        "properties": {"hiddenByUser": True},
                        "fields": "hiddenByUser",
                    }
                }
            ),
            "protect": lambda: desk.do(
                {
                    "addProtectedRange": {
                        "protectedRange": {"range": {"sheetId": TAB, "startRowIndex": one, "endRowIndex": one + 1}}
                    }
                }
            ),
            "table": lambda: desk.do(
                {"addTable": {"table": {"name": self._token(), "range": _cell(one, two, rows=3)}}}
            ),
            "freeze": lambda: desk.do(
                {
                    "updateSheetProperties": {
                        "properties": {"sheetId": TAB, "gridProperties": {"frozenRowCount": one}},
                        "fields": "gridProperties.frozenRowCount",
                    }
                }
            ),
            "validate": lambda: desk.do(
                {
                    "setDataValidation": {
                        "range": {"sheetId": TAB, "startColumnIndex": one, "endColumnIndex": one + 1},
                        "rule": {"condition": {"type": "NOT_BLANK"}, "strict": True},
                    }
                }
            ),
            "band": lambda: desk.do(
                {"addBanding": {"bandedRange": {"range": _cell(one, 0, rows=4), "rowProperties": {}}}}
            ),
            "note": lambda: desk.do(
                {"repeatCell": {"range": _cell(one, two), "cell": {"note": "n"}, "fields": "note"}}
            ),
            "delete copies": lambda: [
                desk.do({"deleteSheet": {"sheetId": n}}) for n in range(1000, 1020) if desk.has(n)
            ],
        }
        acts[what]()

    # What is checked

    def _watch(self):
        """Before and after each request of ours: whatever differs, we did."""
        cells = self.desk.cells()
        people = {v for v in cells.values() if isinstance(v, str) and v.startswith("p")}
        astray = Counter(self._wrong(cells))
        if self._before is None:
            self._before = people, astray
            return
        was_people, was_astray = self._before
        self._before = None
        self.lost = (self.lost | (was_people - people)) - people
        self.astray += astray - was_astray

    def _wrong(self, cells):
        """Our values that stand in another row than their booking's, or in another column than their own."""
        header = {c: v for (r, c), v in cells.items() if r == 0}
        ids = [c for c, name in header.items() if name == "id"]
        for (row, column), value in cells.items():
            if isinstance(value, str) and value.startswith("s:"):
                _, key, name, _ = value.split(":")
                if header.get(column) != name or not any(cells.get((row, c)) == key for c in ids):
                    yield value

    def _lost_values(self):
        told = {each.was for each in self.desk.told()}
        lost = sorted(value for value in self.lost if value not in told)
        # Killed after a write, and the copy deleted by a user before the next run: that a value of a cell can't be told
        # is all that can be told of it.
        unproven = sum(each.why == "unproven" for each in self.desk.told())
        return [f"{value} of people is lost untold" for value in lost[unproven:]]

    def _strays(self):
        told = self.desk.told()
        # What is put back in a row whose id people changed stands beside an id that is theirs.
        ours = {value for each in told for value in (each.ours, each.was)}
        rows = {each.booking for each in told if each.why == "misplaced row"}
        # What came over a booking's id is told; the rest of its row then stands beside that, where it always stood.
        rows |= {each.was for each in told if each.header == "id"}
        now = Counter(self._wrong(self.desk.cells()))
        return [
            f"{value} of ours is astray untold"
            for value in self.astray
            if now[value] and value not in ours and value.split(":")[1] not in rows
        ]

    def _copies(self, ended):
        if ended == "in step" and any(is_copy(title) for title in self.desk.titles):
            yield "a copy of the tab stays for ever"
        if "sheet_copy_gone" in self.failed and not any(act[0] == "delete copies" for _, act in self.scenario.acts):
            yield "a user is said to have deleted a copy, and none did"

    def _bookings(self, ended):
        if ended != "in step":
            return [] if ended not in ("killed", "none") else [f"the last run was {ended}"]
        rows = Counter(row["id"] for row in self.desk.rows() if row.get("sync_state") != "duplicate")
        return [f"booking {key} is there {rows[key]} times" for key in self.source if rows[key] != 1]


def _cell(row, column, rows=1):
    return {
        "sheetId": TAB,
        "startRowIndex": row,
        "endRowIndex": row + rows,
        "startColumnIndex": column,
        "endColumnIndex": column + 1,
    }


def _at(row, column):
    return {"sheetId": TAB, "rowIndex": row, "columnIndex": column}
