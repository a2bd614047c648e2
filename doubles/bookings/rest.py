"""The booking system's REST API as an application."""

import base64
import binascii
import secrets
from collections.abc import Awaitable, Callable
from datetime import date
from pathlib import Path
from typing import Any

from msgspec.structs import asdict
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from doubles.bookings.booking import as_csv, read
from doubles.bookings.dataset import load
from doubles.bookings.faults import Fault
from doubles.bookings.generator import season
from doubles.bookings.shapes import Shapes
from doubles.bookings.store import Store, Window
from doubles.faults import Faults, asked
from doubles.reading import Invalid, read_json

SEED, COUNT, FIRST = 2026, 300, date(2026, 11, 1)
"""The season that is there when nothing else is asked for."""
_PAGE, _LARGEST_PAGE = 100, 1000


def create(
    state: Path,
    *,
    file: Path | None = None,
    seed: int = SEED,
    count: int = COUNT,
    first: date = FIRST,
    today: date | None = None,
) -> Starlette:
    """Make the application with its state in a folder: bookings of `file`, or of the generator.

    `today` says which stays of a published file are over. Raises `UnreadableFile` and `OSError` for a bad file.
    """
    store = Store(state)
    if file:
        origin = f"file {file.resolve()} {file.stat().st_mtime_ns}"
        store.fill(origin, lambda: load(file, today or date.today()))  # noqa: DTZ011 - hotels count days by their wall
    else:
        store.fill(f"season {seed} {first} {count}", lambda: season(seed, first, count))
    return _application(_Api(store))


class _Api:
    """The calls under /v1 and /_local."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.faults = Faults(Fault)
        self.token = store.kept("token", lambda: secrets.token_urlsafe(24))

    async def show_token(self, _request: Request) -> Response:
        return JSONResponse({"token": self.token})

    def faulty(self, answer: Callable[[Request, Fault], Response]) -> Callable[[Request], Awaitable[Response]]:
        """Let a call of the API suffer what was ordered."""

        async def call(request: Request) -> Response:
            fault = await self.faults.meet(await asked(request)) or Fault()
            if fault.status:
                return Response("<html><h1>Out of order</h1></html>", fault.status, media_type="text/html")
            return answer(request, fault)

        return call

    def list(self, request: Request, fault: Fault) -> Response:
        self._admit(request)
        window, limit = _window(request), _limit(request)
        if fault.empty:
            return JSONResponse({"bookings": [], "next": None, "total": 0})
        # One more than asked for tells whether there is a next page, without a second query.
        page = self.store.page(window, _after(request), limit + 1)
        more = len(page) > limit
        answer = {
            "bookings": [asdict(booking) for booking in page[:limit]],
            "next": _cursor(page[limit - 1].id) if more else None,
            "total": self.store.count(window),
        }
        return JSONResponse(answer)

    def as_csv(self, request: Request, fault: Fault) -> Response:
        self._admit(request)
        bookings = [] if fault.empty else self.store.page(_window(request))
        return Response(as_csv(bookings), media_type="text/csv; charset=utf-8")

    async def put(self, request: Request) -> Response:
        known = self.store.get(request.path_params["id"])
        booking = read({**await _object(request), "id": request.path_params["id"]})
        self.store.put(booking)
        return JSONResponse(asdict(booking), 200 if known else 201)

    async def patch(self, request: Request) -> Response:
        known = self.store.get(request.path_params["id"])
        if known is None:
            return _unknown(request)
        booking = read({**asdict(known), **await _object(request), "id": known.id})
        self.store.put(booking)
        return JSONResponse(asdict(booking))

    async def delete(self, request: Request) -> Response:
        known = self.store.delete(request.path_params["id"])
        return Response(status_code=204) if known else _unknown(request)

    def _admit(self, request: Request) -> None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not secrets.compare_digest(token.encode(), self.token.encode()):
            raise PermissionError


def _application(api: _Api) -> Starlette:
    one = "/_local/bookings/{id}"
    return Starlette(
        routes=[
            Route("/v1/bookings", api.faulty(api.list)),
            Route("/v1/bookings.csv", api.faulty(api.as_csv)),
            Route("/_local/token", api.show_token),
            Route(one, api.put, methods=["PUT"]),
            Route(one, api.patch, methods=["PATCH"]),
            Route(one, api.delete, methods=["DELETE"]),
            *Shapes(api.store, api.token).routes(),
            *api.faults.routes(),
        ],
        exception_handlers={Invalid: _invalid, PermissionError: _unauthorized},
    )


def _window(request: Request) -> Window:
    bounds = {}
    for name, end in (("from", "first"), ("to", "last")):
        if name in request.query_params:
            bounds[end] = _date(name, request.query_params[name])
    return Window(**bounds)


def _date(name: str, text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise Invalid(name, f"must be a date like 2026-11-01, not {text!r}") from None


def _limit(request: Request) -> int:
    text = request.query_params.get("limit", str(_PAGE))
    if not text.isdecimal() or int(text) not in range(1, _LARGEST_PAGE + 1):
        raise Invalid("limit", f"must be a number from 1 to {_LARGEST_PAGE}, not {text!r}")
    return int(text)


def _cursor(last_id: str) -> str:
    # Opaque, so that no caller makes one itself; by id, so that new bookings shift no page.
    return base64.urlsafe_b64encode(last_id.encode()).decode()


def _after(request: Request) -> str:
    cursor = request.query_params.get("cursor", "")
    try:
        return base64.b64decode(cursor, altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise Invalid("cursor", "must be what `next` of the page before was") from None


async def _object(request: Request) -> dict[str, Any]:
    return read_json(dict[str, Any], await request.body())


def _problem(status: int, detail: str, **more: str) -> Response:
    body = {"type": "about:blank", "status": status, "detail": detail, **more}
    return JSONResponse(body, status, media_type="application/problem+json")


def _unknown(request: Request) -> Response:
    return _problem(404, f"there is no booking {request.path_params['id']}")


async def _invalid(_request: Request, error: Exception) -> Response:
    return _problem(400, str(error), field=getattr(error, "field", ""))


async def _unauthorized(_request: Request, _error: Exception) -> Response:
    response = _problem(401, "send `Authorization: Bearer TOKEN` with the booking system's token")
    response.headers["WWW-Authenticate"] = "Bearer"
    return response
