"""Google's double as an application: accounts, tokens and Sheets behind one address, and the control calls."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from doubles.database import Database
from doubles.faults import refused
from doubles.google import accounts, library, requests, values, vault
from doubles.google.book import Book
from doubles.google.errors import GoogleError, invalid, not_built
from doubles.google.faults import Faults
from doubles.google.oauth import OAuth
from doubles.google.sheets import Sheets
from doubles.google.view import book_page, index_page
from doubles.reading import Invalid, read_json

_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


def create(state: Path, *, testing: bool = False, clock: Callable[[], float] = time.time) -> Starlette:
    """Make the application with its state in a folder.

    `testing` is the publishing status "Testing": refresh tokens die after seven days. `clock` tells seconds since 1970.
    """
    faults = Faults()
    database = Database(state / "google.sqlite", vault.TABLES + library.TABLES + accounts.TABLES)
    programs = accounts.ServiceAccounts(database, clock)
    oauth = OAuth(vault.Vault(database, clock), programs, faults, testing=testing)
    sheets = Sheets(library.Library(database), faults, oauth.grant)
    people = People(sheets)
    return Starlette(
        routes=[
            *oauth.routes(),
            Route("/", people.index),
            Route("/spreadsheets/d/{id}", people.view),
            Route("/spreadsheets/d/{id}/edit", people.view),
            Route("/_local/spreadsheets", people.titles),
            Route("/_local/spreadsheets", people.make, methods=["POST"]),
            Route("/_local/spreadsheets/{id}/people", people.edit, methods=["POST"]),
            Route("/_local/spreadsheets/{id}/share", people.share, methods=["POST"]),
            *faults.routes(),
            Route("/v4/{path:path}", sheets.call, methods=_METHODS),
            Route("/drive/{path:path}", _drive, methods=_METHODS),
        ],
        exception_handlers={Invalid: _refuse, GoogleError: _fail},
    )


class _Edit(Struct, frozen=True, forbid_unknown_fields=True):
    """A value typed into one range's first cell, or requests of batchUpdate (a user inserts or deletes rows)."""

    range: str = ""
    value: Any = None
    requests: tuple[Any, ...] = ()


class _New(Struct, frozen=True, forbid_unknown_fields=True):
    """A spreadsheet under an id that is known before it is made, as it stands in settings."""

    id: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,99}\Z")]
    title: str = "Untitled spreadsheet"
    sheet: str = "Sheet1"


class _Share(Struct, frozen=True, forbid_unknown_fields=True):
    """Who else may use a spreadsheet; without a role no longer."""

    account: str
    role: Literal["writer", "reader", ""] = "writer"


class People:
    """What users do with a spreadsheet, without a token: look at it, and in tests change it."""

    def __init__(self, sheets: Sheets) -> None:
        self._sheets = sheets

    async def index(self, _request: Request) -> Response:
        """GET the list of spreadsheets as a page."""
        return HTMLResponse(index_page(self._books()))

    async def titles(self, _request: Request) -> Response:
        """GET the list of spreadsheets: id and title."""
        listed = [{"id": book.id, "title": book.properties["title"]} for book in self._books()]
        return JSONResponse({"spreadsheets": listed})

    async def make(self, request: Request) -> Response:
        """POST `{"id": …, "title": …, "sheet": …}`: make an empty one, unless it is there already."""
        new = read_json(_New, await request.body())
        known = new.id in self._sheets.library.ids()
        if not known:
            body = {"properties": {"title": new.title}, "sheets": [{"properties": {"title": new.sheet}}]}
            self._sheets.make(body, new.id)
        return JSONResponse({"id": new.id}, 200 if known else 201)

    async def view(self, request: Request) -> Response:
        """GET one sheet as a page: the first, or `gid`; from `row` on."""
        book = self._sheets.library.get(request.path_params["id"])
        gid, row = request.query_params.get("gid"), request.query_params.get("row", "1")
        if not row.isdecimal() or not (gid or "0").isdecimal():
            raise invalid("gid and row must be numbers")
        sheet = book.sheet(int(gid)) if gid else book.sheets[0]
        return HTMLResponse(book_page(book, sheet, max(int(row) - 1, 0)))

    async def edit(self, request: Request) -> Response:
        """POST what a user does: `{"range": "Sheet1!B5", "value": "typed"}` or `{"requests": […]}`."""
        edit = read_json(_Edit, await request.body())
        book_id = request.path_params["id"]
        if edit.requests:
            call: dict[str, Any] = {"body": {"requests": list(edit.requests)}}
            return JSONResponse(self._sheets.edit(book_id, requests.batch_update, call))
        typed = {"values": [[edit.value]]}
        call = {"path": {"range": edit.range}, "query": {"valueInputOption": "USER_ENTERED"}, "body": typed}
        return JSONResponse(self._sheets.edit(book_id, values.update, call))

    async def share(self, request: Request) -> Response:
        """POST `{"account": …, "role": "writer"}`: share the spreadsheet, as its owner does."""
        share = read_json(_Share, await request.body())
        book = self._sheets.library.get(request.path_params["id"]).copy()
        others = {name: role for name, role in book.shared.items() if name != share.account}
        book.shared = others | ({share.account: share.role} if share.role else {})
        self._sheets.library.save(book)
        return JSONResponse({"shared": book.shared})

    def _books(self) -> list[Book]:
        return [self._sheets.library.get(book_id) for book_id in self._sheets.library.ids()]


async def _drive(_request: Request) -> Response:
    return not_built("Drive").answer()


async def _refuse(_request: Request, error: Exception) -> Response:
    return refused(error) if isinstance(error, Invalid) else JSONResponse({}, 500)


async def _fail(_request: Request, error: Exception) -> Response:
    return error.answer() if isinstance(error, GoogleError) else JSONResponse({}, 500)
