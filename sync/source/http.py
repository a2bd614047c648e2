"""Bookings of an HTTP API: page after page, slice after slice, until it is certain that none is lacking."""

import functools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit, urlunsplit

import msgspec

from sync.failure import SyncFailed
from sync.settings import Settings
from sync.source.bookings import ASK, Bookings, Collector, odd
from sync.source.fields import value_at
from sync.source.token import Tokens
from sync.source.web import Answer, Web, require_ok
from sync.source_settings import Http, Paging, Window
from wire.secret import Secret

_READINGS = 4
"""Until two of them name the same bookings."""
_PAGES = 10_000
"""Of one slice: what goes on beyond does not end."""
_COMPARE = "compare [sync.source] with the system's API: `fab sync-source` shows what it answers"
_NO = ("false", "no", "n", "0", "")
"""Texts by which a system says that there is no more."""
_UNSENDABLE = re.compile(r"[^\t\x20-\x7e\x80-\xff]")
_LINK = re.compile(r"<([^>]*)>\s*((?:;[^,<]*)*)")


class Question(msgspec.Struct, frozen=True):
    """One call: its address without parameters of ours, and the parameters."""

    url: str
    parameters: Mapping[str, Any]


class Page(msgspec.Struct, frozen=True):
    """What a page says: its records, the total if one is told, the question after it, and the answer it came from."""

    records: list[Any]
    total: int | None
    following: Question | None


@dataclass
class Reader:
    """Reads one booking system; `secret` goes into the header, or `tokens` exchange it."""

    settings: Settings
    source: Http
    web: Web
    secret: Secret | None
    tokens: Tokens | None = None
    _token: Secret | None = field(default=None, repr=False)

    def read(self) -> Bookings:
        """Return all bookings of the window. Raises `SyncFailed`."""
        before: frozenset[str] | None = None
        for _ in range(_READINGS):
            collector, proven = self._reading()
            # Numbered pages shift when a booking comes or goes meanwhile: one may be on none of them.
            if proven or collector.keys() == before:
                return collector.bookings()
            before = collector.keys()
        raise SyncFailed(
            "bookings_unsteady",
            f"the booking system named other bookings in each of {_READINGS} readings",
            f"give sync.source.parameters a stable sort; if the next run says the same, {ASK}",
        )

    def first_page(self) -> list[Any]:
        """Return the records of the first page, as they are."""
        question = next(iter(self._slices()))
        return self._page(question, 0).records

    def _reading(self) -> tuple[Collector, bool]:
        """Read once; the second value says that one reading is proof enough."""
        collector, calls, totals = Collector(self.settings), 0, True
        for question in self._slices():
            before = collector.records
            totals_said: set[int | None] = set()
            for page in self._pages(question):
                calls += 1
                totals_said.add(page.total)
                collector.take_all(page.records)
            self._require_total(totals_said, collector.records - before)
            totals = totals and totals_said != {None}
        shifting = self.source.paging.kind in ("page", "offset")
        return collector, calls == 1 or (totals and not shifting and not self.source.window.slice_days)

    def _require_total(self, totals_said: set[int | None], found: int) -> None:
        if totals_said in ({None}, {found}):
            return
        says = " and ".join(str(total) for total in sorted(totals_said, key=str))
        # Bookings that come or go while we page do this too; then the next run reads them whole.
        raise odd(f"its pages held {found} records, its total says {says}", f"if the next run says the same, {ASK}")

    def _slices(self) -> Iterator[Question]:
        window, fixed = self.source.window, self.source.parameters
        spans = spans_of(self.settings.window_from, self.settings.window_to, window.slice_days)
        for first, last in spans:
            yield Question(self.source.url, {**_first_page(self.source.paging), **_days(window, first, last), **fixed})

    def _pages(self, question: Question) -> Iterator[Page]:
        following: Question | None = question
        seen: list[Question] = []
        found = 0
        while following:
            # A broken cursor would keep the run paging until its unit's time limit.
            if following in seen or len(seen) >= _PAGES:
                raise odd("its pages go round in a circle, or never end", _COMPARE)
            seen.append(following)
            page = self._page(following, found)
            found += len(page.records)
            yield page
            following = page.following

    def _page(self, question: Question, before: int) -> Page:
        answer = self._ask(question)
        try:
            data = json.loads(require_ok(answer, self.source.url))
        except (ValueError, RecursionError):
            raise odd("its answer is no JSON", ASK) from None
        records = value_at(data, self.source.records)
        if not isinstance(records, list):
            where = self.source.records or "the top of its answer"
            raise odd(f"there is no list of records at {where}", f"correct sync.source.records: {_COMPARE}")
        total = self._total(data)
        complete = not records or (total is not None and before + len(records) >= total)
        return Page(records, total, _following(self.source, question, (data, answer, len(records)), complete=complete))

    def _total(self, data: object) -> int | None:
        path = self.source.paging.total
        if not path:
            return None
        total = value_at(data, path)
        if isinstance(total, str) and total.isascii() and total.isdecimal():
            total = int(total)
        # Not isinstance: `true` would pass as 1.
        if type(total) is not int:
            raise odd(f"there is no total at {path}", f"correct sync.source.paging.total: {_COMPARE}")
        return total

    def _ask(self, question: Question) -> Answer:
        answer = self._call(question)
        if answer.status == 401 and self.tokens:
            # It may have been taken back before its time: one more is asked for, if that is allowed already.
            self.tokens.refused()
            self._token = None
            answer = self._call(question)
            if answer.status == 401:
                self.tokens.refused()
        return answer

    def _call(self, question: Question) -> Answer:
        headers = {"Accept": "application/json", **self._header()}
        if self.source.in_body:
            body = json.dumps(_nested(question.parameters)).encode()
            return self.web.call("POST", question.url, headers | {"Content-Type": "application/json"}, body)
        return self.web.call("GET", _with_query(question), headers)

    def _header(self) -> dict[str, str]:
        if not self.source.header_value:
            return {}
        if self.tokens and self._token is None:
            self._token = self.tokens.token()
        secret = self._token or self.secret
        value = self.source.header_value.replace("{secret}", secret.reveal() if secret else "")
        if _UNSENDABLE.search(value):  # whoever is asked to send it shows it whole in its error
            cause = "the secret, or the token that was given for it, holds a character that no header can carry"
            raise SyncFailed("bookings_token", cause, "put it in place anew with `fab secrets` (bookings_token)")
        return {self.source.header: value}


def spans_of(first: str, last: str, days: int) -> list[tuple[str, str]]:
    """Cut a window of ISO days into spans of so many days, both ends inclusive; 0 days: one span."""
    if not days:
        return [(first, last)]
    start, end, spans = date.fromisoformat(first), date.fromisoformat(last), []
    while start <= end:
        stop = min(end, start + timedelta(days=days - 1))
        spans.append((start.isoformat(), stop.isoformat()))
        start = stop + timedelta(days=1)
    return spans


def _days(window: Window, first: str, last: str) -> dict[str, str]:
    given = {}
    if first and window.from_param:
        given[window.from_param] = date.fromisoformat(first).strftime(window.format)
    if last and window.to_param:
        day = date.fromisoformat(last) + timedelta(days=1 if window.to_excluded else 0)
        given[window.to_param] = day.strftime(window.format)
    return given


def _first_page(paging: Paging) -> dict[str, Any]:
    size = {paging.size_param: paging.size} if paging.size_param else {}
    if paging.kind == "page":
        return {paging.param: paging.first, **size}
    return {paging.param: 0, **size} if paging.kind == "offset" else size


def _following(source: Http, question: Question, got: tuple[object, Answer, int], *, complete: bool) -> Question | None:
    """Return the question after a page, by what it `got`: its data, the answer, and how many records.

    Numbered pages end when they are `complete`: the total is reached, or none came. Not by a page that is shorter than
    asked for: some systems cap the size silently. Raises `SyncFailed` where there is more and nothing leads to it.
    """
    path = source.paging.has_more
    said = value_at(got[0], path) if path else None
    has_more = bool(said) and str(said).strip().lower() not in _NO
    if path and not has_more and source.paging.kind not in ("next_url", "link"):
        return None
    following = _next(source, question, got, complete=complete)
    # What is behind it would be taken for gone.
    if has_more and following is None:
        raise odd(f"{path} says that there is more, and nothing leads to it", f"correct sync.source.paging: {_COMPARE}")
    return following


def _next(source: Http, question: Question, got: tuple[object, Answer, int], *, complete: bool) -> Question | None:
    data, answer, count = got
    paging = source.paging
    if paging.kind in ("next_url", "link"):
        found = value_at(data, paging.next) if paging.kind == "next_url" else _linked(answer.headers.get("link", ""))
        return _elsewhere(source, question, str(found)) if found else None
    if paging.kind == "none":
        return None
    if paging.kind == "cursor":
        cursor = value_at(data, paging.next)
        if cursor in (None, "", False):
            return None
        return Question(question.url, {**question.parameters, paging.param: cursor})
    if complete:
        return None
    step = 1 if paging.kind == "page" else count
    return Question(question.url, {**question.parameters, paging.param: question.parameters[paging.param] + step})


def _elsewhere(source: Http, question: Question, found: str) -> Question:
    """Return the question at an address that an answer gave: on the same host only, for it gets our secret."""
    try:
        url = urlsplit(urljoin(question.url, found))
    except ValueError as error:
        raise odd(f"the address of its next page can't be read ({error})", ASK) from None
    if (url.scheme, url.netloc) != urlsplit(source.url)[:2]:
        raise odd(f"its next page would be on another host, {url.netloc}", f"{ASK}: our secret goes to no other host")
    # Its own query holds what the system wants; only a body's parameters are not in the address.
    return Question(urlunsplit(url._replace(fragment="")), question.parameters if source.in_body else {})


def _linked(header: str) -> str:
    for url, about in _LINK.findall(header):
        if re.search(r';\s*rel="?([^";]*\b)?next\b', about):
            return str(url)
    return ""


def _nested(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters as a body: a dotted name stands inside the object that its beginning names."""
    body: dict[str, Any] = {}
    for name, value in parameters.items():
        *outer, last = name.split(".")
        functools.reduce(lambda place, key: place.setdefault(key, {}), outer, body)[last] = value
    return body


def _with_query(question: Question) -> str:
    pairs = [
        (name, str(value).lower() if isinstance(value, bool) else value) for name, value in question.parameters.items()
    ]
    if not pairs:
        return question.url
    return f"{question.url}{'&' if '?' in question.url else '?'}{urlencode(pairs)}"
