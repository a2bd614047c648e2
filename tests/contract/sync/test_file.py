"""Bookings of a file; the published data set's among them, where it lies beside the project."""

import json
import os
from collections import Counter
from pathlib import Path

import pytest

from sync import settings
from sync.failure import SyncFailed
from sync.source import file, read
from sync.source_settings import File

ROOT = Path(__file__).parents[3]
PUBLISHED = Path(os.environ.get("JADA_REAL_BOOKINGS", ROOT.parent / "shared" / "data" / "hotel_bookings.csv"))
FIELDS = {"id": "id", "arrival": {"path": "arrival", "type": "date"}}
ONE = {"id": "B1", "arrival": "2026-05-13"}
TWO = {"id": "B2", "arrival": "2026-05-14"}


@pytest.fixture
def load(tmp_path, outside):
    def load(text, fields=FIELDS, **source):
        path = tmp_path / "bookings"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        os.utime(path, (1000, 1000))
        source = {"kind": "file", "path": str(path), **source}
        return read.read(settings.read({"spreadsheet_id": "x", "source": source, "fields": fields}), outside())

    return load


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("id,arrival\nB1,2026-05-13\nB2,2026-05-14\n", {"format": "csv"}),
        ("\ufeffid;arrival\r\nB1;2026-05-13\r\n\r\nB2;2026-05-14", {"format": "csv", "delimiter": ";"}),
        (json.dumps({"a": {"b": [ONE, TWO]}}), {"format": "json", "records": "a.b"}),
        (json.dumps([ONE, TWO]), {"format": "json"}),
        (f"{json.dumps(ONE)}\n\n{json.dumps(TWO)}\n", {"format": "jsonl"}),
    ],
)
def test_each_format_is_read(load, text, source):
    assert set(load(text, **source).cells) == {"B1", "B2"}


@pytest.mark.parametrize(
    ("text", "kind"), [(f'id\nB1\n"{"x" * 200_000}"\n', "csv"), ('{"id": "B1"}\n' + "x" * 100_000 + "\xff", "jsonl")]
)
def test_records_are_taken_one_by_one_so_that_a_large_file_needs_no_memory(tmp_path, text, kind):
    """What comes later in the file can't be read, and is not met."""
    path = tmp_path / "bookings"
    path.write_bytes(text.encode("latin-1"))
    source = File(path=str(path), format=kind)
    assert file.collected(source, 0, lambda _, records: next(records)) in (["B1"], {"id": "B1"})


def test_a_cut_line_is_set_aside_and_then_nothing_is_gone(load):
    found = load("id,arrival\nB1,2026-05-13\nB2", format="csv")
    assert (set(found.cells), found.is_whole) == ({"B1"}, False)
    assert set(load(f"{json.dumps(ONE)}\n{json.dumps(TWO)[:-3]}", format="jsonl").cells) == {"B1"}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('B1,"Smith,2026-05-01\nB2,"Jones",2026-05-09\nB3,Ng,2026-05-09\n', 3),
        ('B1,Smith,2026-05-01\nB2,"Jones"x,2026-05-09\n', 3),
        ('B1,Smith,2026-05-01\nB2,Jones,"2026-05-09\nB3,Ng,2026-05-09\n', 4),
    ],
)
def test_a_quote_that_would_take_other_bookings_into_its_field_is_refused(load, text, line):
    fields = {**FIELDS, "guest": "guest"}
    with pytest.raises(SyncFailed, match=f"line {line} is no CSV") as failed:
        load(f"id,guest,arrival\n{text}", fields, format="csv")
    assert failed.value.kind == "bookings_odd"


def test_quotes_inside_of_fields_are_read(load):
    fields = {**FIELDS, "guest": "guest", "note": "note"}
    found = load('id,arrival,guest,note\nB1,2026-05-01,"O""Hara, Ann",6" of snow\n', fields, format="csv")
    assert found.cells["B1"][2:] == ('O"Hara, Ann', '6" of snow')


@pytest.mark.parametrize(
    ("text", "source", "kind", "named"),
    [
        ("", {"format": "csv"}, "bookings_odd", "its first line must name the columns"),
        ("[1, 2", {"format": "json"}, "bookings_odd", "is no JSON"),
        ("{}", {"format": "json", "records": "a"}, "bookings_odd", "there is no list at a"),
        (b"id,arrival\nB\xe9,2026-05-13", {"format": "csv"}, "bookings_odd", "is not utf-8-sig at byte"),
        (b'[{"id": "B\xe9"}]', {"format": "json"}, "bookings_odd", "is not utf-8-sig at byte"),
        ("id,arrival\nB1,2026-05-13", {"format": "csv", "encoding": "klingon"}, "bookings_odd", "no encoding klingon"),
        ("x,arrival\nB1,2026-05-13", {"format": "csv"}, "bookings_odd", "record 1 has no id at id"),
    ],
)
def test_a_file_that_can_t_be_used_is_named(load, text, source, kind, named):
    with pytest.raises(SyncFailed, match=named) as failed:
        load(text, **source)
    assert failed.value.kind == kind


def test_a_file_that_is_no_longer_written_is_reported(load, time):
    time.seconds = 1000 + 25 * 3600
    with pytest.raises(SyncFailed, match="last written 25 hours ago") as failed:
        load("id,arrival\nB1,2026-05-13", format="csv", max_age_hours=24)
    assert failed.value.kind == "bookings_file_old"


def test_a_file_that_is_not_there_is_reported(outside):
    source = {"kind": "file", "path": "/nowhere/bookings.csv", "format": "csv"}
    with pytest.raises(SyncFailed, match="No such file") as failed:
        read.read(settings.read({"spreadsheet_id": "x", "source": source, "fields": FIELDS}), outside())
    assert failed.value.kind == "bookings_file"


def test_rows_without_an_id_are_named_by_their_place(load):
    found = load("arrival\n2026-05-13\n2026-05-14\n", {**FIELDS, "id": {"path": "#", "prefix": "B"}}, format="csv")
    assert set(found.cells) == {"B1", "B2"}


REAL = {
    "id": {"path": "#", "prefix": "B"},
    "hotel": "hotel",
    "arrival": {
        "path": ["arrival_date_year", "arrival_date_month", "arrival_date_day_of_month"],
        "type": "date",
        "format": "%Y %B %d",
    },
    "adults": {"path": "adults", "type": "integer"},
    "children": {"path": "children", "type": "integer"},
    "country": "country",
    "agent": {"path": "agent", "type": "integer"},
    "repeated": {"path": "is_repeated_guest", "type": "yes_no"},
    "status": "reservation_status",
    "status_since": {"path": "reservation_status_date", "type": "date", "format": "%m/%d/%Y"},
    "rate": {"path": "adr", "type": "money"},
}


@pytest.mark.skipif(not PUBLISHED.is_file(), reason="the published data set is not beside the project")
def test_the_published_bookings_of_two_hotels_are_read_by_a_mapping_of_a_few_lines(outside):
    source = {"kind": "file", "path": str(PUBLISHED), "format": "csv", "missing": ["NULL", "NA"]}
    found = read.read(settings.read({"spreadsheet_id": "x", "source": source, "fields": REAL}), outside())
    first = ("B1", "Resort Hotel", "2015-07-01", 2, 0, "PRT", "", "FALSE", "Check-Out", "2015-07-01", 0)
    assert (len(found), found.aside, found.cells["B1"]) == (14_938, (), first)
    assert min(Counter(cells[2] for cells in found.cells.values())) == "2015-07-01"
