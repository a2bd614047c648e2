"""A spreadsheet as a page for a browser: what users would see in Sheets, to read only."""

from html import escape

from doubles.google.book import Book, Sheet
from doubles.google.ranges import letters
from doubles.google.render import formatted

PAGE = 1000
"""Rows on one page: browsers are slow with very long tables."""
_STYLE = (
    "body{font:13px/1.4 sans-serif;margin:1rem}nav a{margin-right:1rem}table{border-collapse:collapse;margin:1rem 0}"
    "td,th{border:1px solid #ccc;padding:1px 6px;white-space:nowrap}th{background:#f3f3f3;font-weight:normal}"
)


def index_page(books: list[Book]) -> str:
    """Return the list of all spreadsheets."""
    items = "".join(
        f'<li><a href="/spreadsheets/d/{book.id}/edit">{escape(str(book.properties["title"]))}</a></li>'
        for book in books
    )
    return _page("Spreadsheets", f"<ul>{items}</ul>" if items else "<p>There are none yet.</p>")


def book_page(book: Book, sheet: Sheet, first: int) -> str:
    """Return one sheet of a spreadsheet, from row `first` (0 is the top), with links to the other sheets and rows."""
    tabs = "".join(f'<a href="?gid={s.id}">{escape(s.title)}</a>' for s in book.sheets)
    height = sheet.height
    parts = "".join(
        f'<a href="?gid={sheet.id}&amp;row={start + 1}">rows {start + 1} to {min(start + PAGE, height)}</a>'
        for start in (range(0, height, PAGE) if height > PAGE else ())
    )
    body = f"<nav>{tabs}</nav><nav>{parts}</nav>{_table(sheet, first, min(height, first + PAGE))}"
    return _page(f"{book.properties['title']} · {sheet.title}", body)


def _table(sheet: Sheet, first: int, end: int) -> str:
    width = max((column + 1 for _, column in sheet.used(sheet.whole)), default=1)
    head = "".join(f"<th>{letters(column)}</th>" for column in range(width))
    rows = "".join(
        f"<tr><th>{row + 1}</th>{''.join(f'<td>{_text(sheet, row, column)}</td>' for column in range(width))}</tr>"
        for row in range(first, end)
    )
    return f"<table><tr><th></th>{head}</tr>{rows}</table>"


def _text(sheet: Sheet, row: int, column: int) -> str:
    return escape(formatted(sheet.cell(row, column)) or "")


def _page(title: str, body: str) -> str:
    head = f'<meta charset="utf-8"><title>{escape(title)}</title><style>{_STYLE}</style>'
    return f'<!DOCTYPE html><html lang="en">{head}<h1>{escape(title)}</h1>{body}</html>'
