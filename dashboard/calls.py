"""The API's calls, straight to their handlers: through the guard's doors as all else, but past what only pages need.

A worker's call is short and comes all day: the middleware for pages, its compression and a look at each route in turn
took longer than what it asks for. What is no plain call of a route goes on to the whole application: a wrong method, an
unknown path, an answer that may be compressed.
"""

import contextlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from dashboard import api
from dashboard.guard import RAW_HEADERS, bounded
from wire.values import Invalid

EXPECTED: tuple[type[Exception], ...] = (Invalid, UnicodeEncodeError, HTTPException, *api.MEANINGS)
"""What is refused; all else is a fault of ours, which the log has to hold."""
HEADERS = [*RAW_HEADERS, (b"vary", b"Accept-Encoding")]
"""What each answer has: to who accepts gzip, the whole application would give another one."""


@dataclass(frozen=True, slots=True)
class Found:
    """A route, and what its path says."""

    route: Route
    path: dict[str, str]


class Index:
    """The routes, found by their path: at once, or among those with as many parts."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._exact: dict[str, Route] = {}
        self._by_depth: dict[int, list[tuple[re.Pattern[str], Route]]] = {}
        for route in routes:
            if "{" in route.path:
                self._by_depth.setdefault(route.path.count("/"), []).append((route.path_regex, route))
            else:
                self._exact[route.path] = route

    def find(self, path: str) -> Found | None:
        """Return the route of a path."""
        if route := self._exact.get(path):
            return Found(route, {})
        for pattern, route in self._by_depth.get(path.count("/"), ()):
            if match := pattern.match(path):
                return Found(route, match.groupdict())
        return None


class Calls:
    """In front of the whole application, `rest`; `admit` raises for who may not come in."""

    def __init__(self, rest: ASGIApp, routes: Iterable[Route], admit: Callable[[Request], None]) -> None:
        self._rest = rest
        self._index = Index(routes)
        self._admit = admit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if found := self._found(scope):
            scope["path_params"] = found.path
            # Whoever went in the middle of a request awaits no answer: it is no fault of ours for the log.
            with contextlib.suppress(ClientDisconnect):
                await self._answer(found, Request(scope, bounded(receive)), send)
        else:
            await self._rest(scope, receive, send)

    def _found(self, scope: Scope) -> Found | None:
        # Below a path at which we are mounted, the whole application knows its way.
        if scope["type"] != "http" or scope.get("root_path") or _may_be_compressed(scope):
            return None
        found = self._index.find(scope["path"])
        return found if found and scope["method"] in (found.route.methods or ()) else None

    async def _answer(self, found: Found, request: Request, send: Send) -> None:
        fault = None
        try:
            self._admit(request)
            response: Response = await found.route.endpoint(request)
        except ClientDisconnect:
            raise
        except EXPECTED as error:
            response = api.answer_problem(error)
        except Exception as error:  # noqa: BLE001 - raised again below, for the log
            response, fault = api.answer_problem(error), error
        said = {name for name, _ in response.raw_headers}
        response.raw_headers += [header for header in HEADERS if header[0] not in said]
        await response(request.scope, request.receive, send)
        if fault:
            raise fault


def _may_be_compressed(scope: Scope) -> bool:
    return any(name == b"accept-encoding" and b"gzip" in value for name, value in scope["headers"])
