"""Spreadsheets on disk, a row each: what `save` returned from survives a kill."""

import json
import secrets
from dataclasses import astuple
from typing import Any

from doubles.database import Database
from doubles.google.area import Area
from doubles.google.book import Book, Cell, Formula, Row, Sheet
from doubles.google.errors import GoogleError
from doubles.google.layout import Layout, Placed

TABLES = "CREATE TABLE IF NOT EXISTS spreadsheet (id TEXT PRIMARY KEY, data TEXT NOT NULL);"
"""What the double's database holds for a `Library`."""


class Library:
    """All spreadsheets; those that were asked for stay in memory."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._open: dict[str, Book] = {}

    def new_id(self) -> str:
        """Return an id that looks like Google's."""
        return "1" + secrets.token_urlsafe(32).replace("=", "")

    def ids(self) -> list[str]:
        """Return the ids of all spreadsheets."""
        return [book_id for (book_id,) in self._database.rows("SELECT id FROM spreadsheet ORDER BY id")]

    def get(self, book_id: str) -> Book:
        """Return a spreadsheet, not to be changed: change a copy and `save` it. Raises `GoogleError` NOT_FOUND."""
        if book_id not in self._open:
            found = self._database.row("SELECT data FROM spreadsheet WHERE id = ?", book_id)
            if found is None:
                raise GoogleError("NOT_FOUND", "Requested entity was not found.")
            self._open[book_id] = _decode(json.loads(found[0]))
        return self._open[book_id]

    def save(self, book: Book) -> None:
        """Put a spreadsheet in the place of what was there: on disk first, so that an answer is never ahead of it."""
        self._database.write("REPLACE INTO spreadsheet VALUES (?, ?)", book.id, json.dumps(_encode(book)))
        self._open[book.id] = book


def _encode(book: Book) -> dict[str, Any]:
    formats: dict[str, int] = {}
    sheets = [
        {
            "id": sheet.id,
            "title": sheet.title,
            "columns": sheet.columns,
            "properties": sheet.properties,
            "layout": _encode_layout(sheet.layout),
            # Most rows of most tabs are empty, and all of them are kept at each change.
            "rows": [row and {c: _encode_cell(cell, formats) for c, cell in row.items()} for row in sheet.rows],
        }
        for sheet in book.sheets
    ]
    return {
        "id": book.id,
        "properties": book.properties,
        "sheets": sheets,
        "formats": list(formats),
        "shared": book.shared,
        "metadata": list(book.metadata.values()),
    }


def _encode_cell(cell: Cell, formats: dict[str, int]) -> Any:
    """Write a bare value as itself; else a list of value, whether it is a formula, format's number, and note."""
    if not cell.format and cell.note is None and not cell.rule and not isinstance(cell.value, Formula):
        return cell.value
    look = formats.setdefault(json.dumps(cell.format, sort_keys=True), len(formats)) if cell.format else -1
    return [cell.value, isinstance(cell.value, Formula), look, cell.note, cell.rule]


def _encode_layout(layout: Layout) -> dict[str, Any]:
    def placed(each: Placed) -> list[Any]:
        return [astuple(each.area), each.data]

    return {
        "merges": [astuple(merge) for merge in layout.merges],
        "protected": [placed(each) for each in layout.protected],
        "bands": [placed(each) for each in layout.bands],
        "tables": [placed(each) for each in layout.tables],
        "filter": placed(layout.filter) if layout.filter else None,
        "rows": layout.rows,
        "columns": layout.columns,
    }


def _decode_layout(data: dict[str, Any]) -> Layout:
    def placed(each: list[Any]) -> Placed:
        return Placed(Area(*each[0]), each[1])

    return Layout(
        [Area(*merge) for merge in data["merges"]],
        [placed(each) for each in data["protected"]],
        [placed(each) for each in data["bands"]],
        [placed(each) for each in data["tables"]],
        placed(data["filter"]) if data["filter"] else None,
        {int(n): each for n, each in data["rows"].items()},
        {int(n): each for n, each in data["columns"].items()},
    )


def _decode(data: dict[str, Any]) -> Book:
    formats = [json.loads(text) for text in data["formats"]]
    sheets = [
        Sheet(
            s["id"],
            s["title"],
            s["columns"],
            [_decode_row(row, formats) for row in s["rows"]],
            s["properties"],
            _decode_layout(s["layout"]) if "layout" in s else Layout(),
        )
        for s in data["sheets"]
    ]
    metadata = {each["metadataId"]: each for each in data.get("metadata", ())}
    return Book(data["id"], data["properties"], sheets, data.get("shared", {}), metadata)


def _decode_row(row: dict[str, Any], formats: list[dict[str, Any]]) -> Row:
    return {int(column): _decode_cell(cell, formats) for column, cell in row.items()}


def _decode_cell(data: Any, formats: list[dict[str, Any]]) -> Cell:
    if not isinstance(data, list):
        return Cell(data)
    value, formula, look, note, *rule = data
    return Cell(Formula(value) if formula else value, formats[look] if look >= 0 else None, note, *rule)
