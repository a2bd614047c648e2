"""What can go wrong with a booking system, on request: `POST /_local/faults` arms one, `DELETE` ends it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp

from wire.values import decode, encode, rule


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of the API: answer `status` instead, say nothing for `hang_s` seconds first, or be suddenly `empty`.

    It hits the next `times` calls of /v1; 0 means all until it is ended.
    """

    status: int = rule(default=0, least=0, most=599)
    hang_s: float = rule(default=0.0, least=0, most=3600)
    empty: bool = False
    times: int = rule(default=0, least=0)


class Faults:
    """The armed fault, if any."""

    def __init__(self) -> None:
        self._fault = Fault()
        self._left: int | None = 0

    def next(self) -> Fault:
        """Return what the next call suffers, and count it."""
        if self._left == 0:
            return Fault()
        self._left = self._left and self._left - 1
        return self._fault

    async def arm(self, request: Request) -> Response:
        """POST /_local/faults. Raises `Invalid`."""
        self._fault = decode(Fault, await request.json())
        self._left = self._fault.times or None
        return JSONResponse(encode(self._fault))

    async def clear(self, _request: Request) -> Response:
        """DELETE /_local/faults."""
        self._fault, self._left = Fault(), 0
        return Response(status_code=204)


class Misbehaviour(BaseHTTPMiddleware):
    """Plays the armed fault on calls under /v1."""

    def __init__(self, app: ASGIApp, faults: Faults) -> None:
        super().__init__(app)
        self._faults = faults

    async def dispatch(self, request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        """Answer in the application's place, or after a while, or let it answer."""
        if not request.url.path.startswith("/v1/"):
            return await call_next(request)
        fault = self._faults.next()
        await asyncio.sleep(fault.hang_s)
        if fault.status:
            return Response("<html><h1>Out of order</h1></html>", fault.status, media_type="text/html")
        request.state.empty = fault.empty
        return await call_next(request)
