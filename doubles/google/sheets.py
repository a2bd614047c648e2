"""Sheets v4 over HTTP: every request and every answer is checked against Google's description."""

import gzip
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from doubles.google import grid, mask, requests, values
from doubles.google.book import Book
from doubles.google.call import Call
from doubles.google.contract import Operation, sheets
from doubles.google.errors import GoogleError, error_info, invalid, not_built, page
from doubles.google.faults import Faults
from doubles.google.library import Library
from doubles.google.vault import Grant

_SERVICE = "sheets.googleapis.com"
READING: Mapping[str, Callable[[Call], dict[str, Any]]] = {
    "spreadsheets.get": grid.get,
    "spreadsheets.getByDataFilter": grid.get_by_filter,
    **values.READING,
}
WRITING: Mapping[str, Callable[[Call], dict[str, Any]]] = {
    "spreadsheets.batchUpdate": requests.batch_update,
    **values.WRITING,
}
_SMALL = 1000
"""Bytes of an answer that is not packed."""
_DEFAULTS = {
    "title": "Untitled spreadsheet",
    "locale": "en_US",
    "autoRecalc": "ON_CHANGE",
    "timeZone": "Etc/GMT",
    "defaultFormat": {
        "backgroundColor": {"red": 1, "green": 1, "blue": 1},
        "padding": {"top": 2, "right": 3, "bottom": 2, "left": 3},
        "verticalAlignment": "BOTTOM",
        "wrapStrategy": "OVERFLOW_CELL",
        "textFormat": {
            "foregroundColor": {},
            "fontFamily": "arial,sans,sans-serif",
            "fontSize": 10,
            "bold": False,
            "italic": False,
            "strikethrough": False,
            "underline": False,
        },
    },
}


class Sheets:
    """The API; `grant` tells whose an access token is and what it may do, None when it is not alive."""

    def __init__(self, library: Library, faults: Faults, grant: Callable[[str], Grant | None]) -> None:
        self.library, self._faults, self._grant = library, faults, grant
        self._contract = sheets()

    async def call(self, request: Request) -> Response:
        """Answer any call under /v4."""
        found = self._contract.find(request.method, request.scope["raw_path"].decode())
        if found is None:
            return page(404, "The requested URL was not found on this server.")
        operation, path = found
        try:
            caller = self._admit(request, operation)
            # Unquoted only now: a quoted slash in a range must not split the path.
            values = {name: unquote(text) for name, text in path.items()}
            asked = Asked(values, request.query_params.multi_items(), caller.account, _base(request))

            async def carry_out() -> Response:
                return _packed(request, JSONResponse(self.answer(operation, asked, await request.body())))

            return await self._faults.play("sheets", request, carry_out)
        except GoogleError as failure:
            return failure.answer()

    def answer(self, operation: Operation, asked: "Asked", raw: bytes) -> dict[str, Any]:
        """Carry out one operation, its request and its answer checked. Raises `GoogleError`."""
        query = self._contract.query(operation, asked.query)
        body = _body(raw)
        if operation.request:
            self._contract.check(operation.request, body)
        elif body:
            raise invalid("The HTTP method does not allow a body.")
        chosen = mask.parse(query["fields"]) if "fields" in query else {}
        mask.check(chosen, self._contract, {"$ref": operation.response})
        call = {"path": asked.path, "query": query, "body": body, "base": asked.base, "account": asked.account}
        answer: dict[str, Any] = mask.select(chosen, self._carry_out(operation, call))
        # A double that answers what Google cannot would teach its callers something false.
        wrong = list(self._contract.violations(operation.response, answer))
        if wrong:
            raise RuntimeError(f"this double's answer to {operation.name} does not fit Google's type: {wrong[0]}")
        return answer

    def edit(self, book_id: str, change: Callable[[Call], dict[str, Any]], call: Mapping[str, Any]) -> dict[str, Any]:
        """Change a copy of a spreadsheet and keep it if nothing failed."""
        # batchUpdate is all or nothing: what fails in the middle must leave the kept one as it was.
        book = self.library.get(book_id).copy()
        for sheet in book.sheets:
            sheet.acting = call.get("account", "")
        answer = change(Call(book, **call))
        self.library.save(book)
        return answer

    def _admit(self, request: Request, operation: Operation) -> Grant:
        """Refuse a caller that has no token, a dead one, or one without any of the operation's scopes."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            raise GoogleError("PERMISSION_DENIED", "Method doesn't allow unregistered callers. Send an access token.")
        grant = self._grant(token)
        if grant is None:
            raise GoogleError("UNAUTHENTICATED", "Request had invalid authentication credentials.")
        if not operation.scopes.intersection(grant.scopes):
            details = error_info("ACCESS_TOKEN_SCOPE_INSUFFICIENT", service=_SERVICE, method=operation.name)
            raise GoogleError("PERMISSION_DENIED", "Request had insufficient authentication scopes.", [details])
        return grant

    def _carry_out(self, operation: Operation, call: Mapping[str, Any]) -> dict[str, Any]:
        if operation.name == "spreadsheets.create":
            return self._create(call)
        if operation.name not in (*READING, *WRITING):
            raise not_built(operation.name)
        book_id, account = call["path"]["spreadsheetId"], call["account"]
        self.library.get(book_id).require_role(account, write=operation.name in WRITING)
        if operation.name in READING:
            book = self.library.get(book_id)
            for sheet in book.sheets:
                sheet.acting = account
            return READING[operation.name](Call(book, **call))
        return self.edit(book_id, WRITING[operation.name], call)

    def _create(self, call: Mapping[str, Any]) -> dict[str, Any]:
        body = call["body"]
        extra = (body.keys() | {key for sheet in body.get("sheets", []) for key in sheet}) - {"properties", "sheets"}
        if extra:
            raise not_built(f"creating a spreadsheet with {', '.join(sorted(extra))}")
        book = self.make(body, self.library.new_id(), {call["account"]: "writer"} if call["account"] else {})
        return grid.spreadsheet(book, call["base"])

    def make(self, body: Mapping[str, Any], book_id: str, shared: Mapping[str, str] | None = None) -> Book:
        """Make and keep a spreadsheet from a `Spreadsheet` of the API: its properties and those of its sheets."""
        book = Book(book_id, {**_DEFAULTS, **body.get("properties", {})}, [], dict(shared or {}))
        for sheet in body.get("sheets") or [{}]:
            book.sheets.append(requests.new_sheet(book, sheet.get("properties", {})))
        book.check_size()
        self.library.save(book)
        return book


@dataclass(frozen=True, slots=True)
class Asked:
    """What a call says besides its body: values of its path, its query, whose it is, and the address it came to."""

    path: Mapping[str, str]
    query: Sequence[tuple[str, str]] = ()
    account: str = ""
    base: str = ""


def _packed(request: Request, answer: Response) -> Response:
    """Pack an answer as Google does: where it is asked for, and the program's name has the word in it, too."""
    named, asked = (request.headers.get(name, "") for name in ("User-Agent", "Accept-Encoding"))
    if "gzip" not in named or "gzip" not in asked or len(answer.body) < _SMALL:
        return answer
    headers = {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
    return Response(gzip.compress(answer.body, 1), answer.status_code, headers, answer.media_type)


def _base(request: Request) -> str:
    return str(request.base_url).rstrip("/")


def _body(raw: bytes) -> dict[str, Any]:
    if not raw:
        return {}
    try:
        data = json.loads(raw, parse_constant=_no_number, object_hook=_present)
        # Half a surrogate pair is a text that no answer could hold: refused at the door, as all that is no UTF-8.
        if b"\\ud" in raw or b"\\uD" in raw:
            json.dumps(data, ensure_ascii=False).encode()
    except ValueError as error:
        raise invalid(f"Invalid JSON payload received. {error}") from None
    if not isinstance(data, dict):
        raise invalid("Invalid JSON payload received. Root element must be a message.")
    return data


def _present(data: dict[str, Any]) -> dict[str, Any]:
    """Drop what is null: in Google's JSON that is absent. Lists keep theirs."""
    return {k: v for k, v in data.items() if v is not None} if None in data.values() else data


def _no_number(text: str) -> None:
    raise ValueError(f"Unexpected token: {text}")
