"""Sheets v4 over HTTP: every request and every answer is checked against Google's description."""

import json
from collections.abc import Callable, Mapping
from functools import partial
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
_DEFAULTS = {"title": "Untitled spreadsheet", "locale": "en_US", "autoRecalc": "ON_CHANGE", "timeZone": "Etc/GMT"}


class Sheets:
    """The API; `scopes` tells what an access token may do, None when it is not alive."""

    def __init__(self, library: Library, faults: Faults, scopes: Callable[[str], tuple[str, ...] | None]) -> None:
        self.library, self._faults, self._scopes = library, faults, scopes
        self._contract = sheets()

    async def call(self, request: Request) -> Response:
        """Answer any call under /v4."""
        found = self._contract.find(request.method, request.scope["raw_path"].decode())
        if found is None:
            return page(404, "The requested URL was not found on this server.")
        operation, path = found
        try:
            self._admit(request, operation)
            # Unquoted only now: a quoted slash in a range must not split the path.
            values = {name: unquote(text) for name, text in path.items()}
            return await self._faults.play("sheets", request, partial(self._answer, request, operation, values))
        except GoogleError as failure:
            return failure.answer()

    def edit(self, book_id: str, change: Callable[[Call], dict[str, Any]], call: Mapping[str, Any]) -> dict[str, Any]:
        """Change a copy of a spreadsheet and keep it if nothing failed."""
        # batchUpdate is all or nothing: what fails in the middle must leave the kept one as it was.
        book = self.library.get(book_id).copy()
        answer = change(Call(book, **call))
        self.library.save(book)
        return answer

    def _admit(self, request: Request, operation: Operation) -> None:
        """Refuse a caller that has no token, a dead one, or one without any of the operation's scopes."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            raise GoogleError("PERMISSION_DENIED", "Method doesn't allow unregistered callers. Send an access token.")
        scopes = self._scopes(token)
        if scopes is None:
            raise GoogleError("UNAUTHENTICATED", "Request had invalid authentication credentials.")
        if not operation.scopes.intersection(scopes):
            details = error_info("ACCESS_TOKEN_SCOPE_INSUFFICIENT", service=_SERVICE, method=operation.name)
            raise GoogleError("PERMISSION_DENIED", "Request had insufficient authentication scopes.", [details])

    async def _answer(self, request: Request, operation: Operation, path: Mapping[str, str]) -> Response:
        query = self._contract.query(operation, request.query_params.multi_items())
        body = await _body(request)
        if operation.request:
            self._contract.check(operation.request, body)
        elif body:
            raise invalid("The HTTP method does not allow a body.")
        chosen = mask.parse(query["fields"]) if "fields" in query else {}
        mask.check(chosen, self._contract, {"$ref": operation.response})
        base = str(request.base_url).rstrip("/")
        call = {"path": path, "query": query, "body": body, "base": base}
        answer = mask.select(chosen, self._carry_out(operation, call))
        # A double that answers what Google cannot would teach its callers something false.
        wrong = list(self._contract.violations(operation.response, answer))
        if wrong:
            raise RuntimeError(f"this double's answer to {operation.name} does not fit Google's type: {wrong[0]}")
        return JSONResponse(answer)

    def _carry_out(self, operation: Operation, call: Mapping[str, Any]) -> dict[str, Any]:
        if operation.name == "spreadsheets.create":
            return self._create(call)
        if operation.name in READING:
            return READING[operation.name](Call(self.library.get(call["path"]["spreadsheetId"]), **call))
        if operation.name in WRITING:
            return self.edit(call["path"]["spreadsheetId"], WRITING[operation.name], call)
        raise not_built(operation.name)

    def _create(self, call: Mapping[str, Any]) -> dict[str, Any]:
        body = call["body"]
        extra = (body.keys() | {key for sheet in body.get("sheets", []) for key in sheet}) - {"properties", "sheets"}
        if extra:
            raise not_built(f"creating a spreadsheet with {', '.join(sorted(extra))}")
        return grid.spreadsheet(self.make(body, self.library.new_id()), call["base"])

    def make(self, body: Mapping[str, Any], book_id: str) -> Book:
        """Make and keep a spreadsheet from a `Spreadsheet` of the API: its properties and those of its sheets."""
        book = Book(book_id, {**_DEFAULTS, **body.get("properties", {})}, [])
        for sheet in body.get("sheets") or [{}]:
            book.sheets.append(requests.new_sheet(book, sheet.get("properties", {})))
        book.check_size()
        self.library.save(book)
        return book


async def _body(request: Request) -> dict[str, Any]:
    raw = await request.body()
    if not raw:
        return {}
    try:
        data = json.loads(raw, parse_constant=_no_number, object_hook=_present)
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
