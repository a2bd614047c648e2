"""The booking system of the settings, read: which kind it is, and what it needs of the outside."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from sync.failure import SyncFailed
from sync.settings import KEY, Settings
from sync.source import file
from sync.source.bookings import Bookings, Collector
from sync.source.fields import BadField, Columns
from sync.source_settings import Command, File, Http
from wire.secret import Secret

if TYPE_CHECKING:
    from sync.source.http import Reader

SECRET = "bookings_token"  # noqa: S105 - a name, not a secret


class Outside(msgspec.Struct, frozen=True):
    """What a reading has of the outside: the way to secrets by name, the folder of the sync's memory, time, waiting."""

    secret: Callable[[str], Secret]
    state: Path
    now: Callable[[], float] = time.time
    clock: Callable[[], float] = time.monotonic
    pause: Callable[[float], None] = time.sleep


def read(settings: Settings, outside: Outside) -> Bookings:
    """Return all bookings of the window. Raises `SyncFailed`: then nothing is known of any."""
    source = settings.origin
    if isinstance(source, Http):
        return _reader(settings, source, outside).read()

    def collect(header: Sequence[str], records: Iterable[Any]) -> Collector:
        collector = Collector(settings)
        collector.take_all(records, header)
        return collector

    if isinstance(source, File):
        return file.collected(source, outside.now(), collect).bookings()
    return collect((), _printed(source, outside)).bookings()


def first(settings: Settings, outside: Outside, count: int) -> list[Any]:
    """Return the first records as the booking system has them. Raises `SyncFailed`."""
    source = settings.origin
    if isinstance(source, Http):
        return _reader(settings, source, outside).first_page()[:count]
    if isinstance(source, File):
        return file.first(source, count)
    return list(islice(_printed(source, outside), count))


def landed(settings: Settings, record: Any, place: int) -> Mapping[str, object] | BadField:
    """Return the cells of a record by column, or what does not fit."""
    columns = Columns(KEY, settings.table, settings.origin.missing)
    try:
        return dict(zip(settings.table, columns.cells(record, place, columns.key(record, place)), strict=True))
    except BadField as bad:
        return bad


def _printed(source: Command, outside: Outside) -> Iterable[Any]:
    from sync.source import command  # noqa: PLC0415 - only what a run's own kind of source needs is loaded

    return command.records(source, _secret_or_none(outside), outside.clock)


def _reader(settings: Settings, source: Http, outside: Outside) -> "Reader":
    from sync.source.http import Reader  # noqa: PLC0415 - with urllib3, a third of what a run loads
    from sync.source.token import Tokens  # noqa: PLC0415
    from sync.source.web import Web  # noqa: PLC0415

    web = Web(outside.clock, outside.pause, pace_s=source.pace_s)
    secret = outside.secret(SECRET) if source.header_value or source.exchange else None
    tokens = None
    if source.exchange and secret:
        tokens = Tokens(source.exchange, secret, outside.state, web, outside.now)
    return Reader(settings, source, web, secret, tokens)


def _secret_or_none(outside: Outside) -> Secret | None:
    try:
        return outside.secret(SECRET)
    except SyncFailed:
        # A program may need none; one that does says so itself.
        return None
