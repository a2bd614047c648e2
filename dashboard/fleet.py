"""What each host says of itself to the others over one table, and which of them is silent.

A host's dashboard writes its report at each look of its watch, as a mark of the store. Its time of day is for people
only: another dashboard counts by its own clock since when it has seen no newer report.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import NamedTuple

from msgspec.structs import replace

from dashboard.hosts import Heard, named
from dashboard.settings import Settings
from dashboard.stores import Store
from wire.times import stamp
from wire.types import HostReport
from wire.values import Invalid, dump, read

PREFIX = "host:"
"""Before a host's name: the name of its mark."""


class Seen(NamedTuple):
    """A host's report, and since when this process sees it; `is_old` as `Heard` has it."""

    report: HostReport
    since: float
    is_old: bool


class Fleet:
    """See the module. `host` is this one's name; None: there is only one dashboard, which needs no reports."""

    def __init__(self, store: Store, host: str | None, settings: Settings, boottime: Callable[[], float]) -> None:
        self._store = store
        self._host = host
        self._silent_s = settings.worker_minutes * 60
        self._boottime = boottime
        self._lock = threading.Lock()
        self._seen: dict[str, Seen] = {}
        self._looked = False
        self._beat = 0

    def tell(self, report: HostReport, now: datetime) -> None:
        """Write this host's report, and read those of all."""
        if self._host is None:
            return
        self._beat += 1
        report = replace(report, host=self._host, beat=self._beat, at=stamp(now))
        self._store.mark(f"{PREFIX}{self._host}", dump(report).decode())
        self._look(self._store.marks(PREFIX))

    def _look(self, marks: Mapping[str, str]) -> None:
        now = self._boottime()
        reports = {name.removeprefix(PREFIX): report for name, text in marks.items() if (report := _read(text))}
        with self._lock:
            known = self._seen
            self._seen = {
                # What is there at the first look says only that the host lived once.
                name: known[name]
                if name in known and known[name].report == report
                else Seen(report, now, is_old=not self._looked and name != self._host)
                for name, report in reports.items()
            }
            self._looked = True

    def heard(self) -> list[Heard]:
        """Return what each host last said, as it was at the last look, by name."""
        now = self._boottime()
        with self._lock:
            seen = sorted(self._seen.items())
        return [
            Heard(each.report, now - each.since, now - each.since > self._silent_s, each.is_old) for _, each in seen
        ]

    def unheard(self) -> Iterator[str]:
        """Yield of which other hosts it is not known whether they live."""
        if self._host is not None and not self._looked:
            yield "the other hosts have not been looked for yet"
        for each in self.heard():
            if each.is_old and not each.is_silent:
                yield f"the host {named(each.report)} has not been heard of since the dashboard began"

    def complaints(self) -> Iterator[str]:
        """Yield what is wrong on the other hosts, and which of them are silent."""
        for each in self.heard():
            if each.report.host == self._host:
                continue
            if each.is_silent:
                yield f"the host {named(each.report)} was last heard of at {each.report.at}"
            else:
                yield from (f"{named(each.report)}: {said}" for said in each.report.wrong)

    def forget(self, host: str) -> None:
        """Know a host no more, until it speaks again."""
        self._store.mark(f"{PREFIX}{host}", None)
        with self._lock:
            self._seen.pop(host, None)


def _read(text: str) -> HostReport | None:
    try:
        return read(HostReport, text)
    except Invalid:
        return None
