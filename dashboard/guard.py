"""What every request passes first: the name it was sent to, the size of its body; and the headers every answer gets.

Over the Unix socket the kernel says who calls, and only an operator sees the page. Over TCP the page asks for no token:
it listens on loopback only, and whoever reaches that came through the operator's SSH tunnel. What could still reach it
is a foreign web page in the operator's browser. So: a Host that is no loopback name is refused (a rebound DNS name
would carry its own), and so is a form sent from another origin. The host's other users could reach it too: on this host
they are the parts of this very system, and a session's tools have a network namespace of their own, without this
loopback. The API needs its token besides.
"""

import contextlib
from collections.abc import Awaitable, Callable, Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboard.callers import UID, Callers
from wire.routes import HEALTH, READY, Right

BODY_LIMIT = 32 * 1024 * 1024
"""Bytes of a request: some 24 MB of files as base64, which a small box can hold and decode."""
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self';"
    " connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    # Not no-referrer: with that, browsers send our own forms with `Origin: null`.
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Guard:
    """Around all routes. `refuse` writes an error as a page or a problem document."""

    def __init__(
        self, app: ASGIApp, refuse: Callable[[Request, Exception], Awaitable[Response]], callers: Callers
    ) -> None:
        self._app = app
        self._refuse = refuse
        self._callers = callers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request, hardened = Request(scope), _hardened(send)
        try:
            check_host(request.headers)
            check_length(request.headers)
            # The page asks for no token; over the socket it can ask who calls.
            if not is_for_machines(scope["path"]):
                require_right(request, Right.OPERATOR, self._callers)
        except HTTPException as error:
            response = await self._refuse(request, error)
            await response(scope, receive, hardened)
            return
        # Whoever went in the middle of a request awaits no answer: it is no fault of ours for the log.
        with contextlib.suppress(ClientDisconnect):
            await self._app(scope, _bounded(receive), hardened)


def check_host(headers: Headers) -> None:
    """Refuse a Host that is no name of this machine's loopback."""
    if _host(f"//{headers.get('host', '')}") not in LOOPBACK:
        raise HTTPException(421, "ask for localhost or 127.0.0.1: the dashboard answers only to loopback names")


def is_for_machines(path: str) -> bool:
    """Say whether a path belongs to the API, which looks at each route's right itself."""
    return path.startswith("/v1/") or path in (HEALTH.path, READY.path)


def require_right(request: Request, right: Right, callers: Callers) -> bool:
    """Refuse a caller over the socket who lacks the right; return False where a token must say it, over TCP."""
    uid = request.scope.get("state", {}).get(UID)
    if uid is not None and right not in callers.rights(uid):
        raise HTTPException(403, f"user {uid} lacks the right to this: it needs {right}")
    return uid is not None


def check_length(headers: Headers) -> None:
    """Refuse a body that says it is too long."""
    length = headers.get("content-length", "0")
    if not length.isdigit() or int(length) > BODY_LIMIT:
        raise too_long()


def too_long() -> HTTPException:
    """Return the refusal of a body over the limit."""
    return HTTPException(413, f"the body is too large: at most {BODY_LIMIT} bytes, all files together")


def check_origin(request: Request) -> None:
    """Refuse a form that another site's page sent. A client that is no browser sends neither header."""
    headers = request.headers
    origin, site = headers.get("origin"), headers.get("sec-fetch-site", "none")
    own = origin is None or origin == f"http://{headers.get('host')}"
    if not own or site not in ("same-origin", "none"):
        raise HTTPException(403, "this form was sent from another site; open the dashboard and send it from there")


def _host(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def _bounded(receive: Receive) -> Receive:
    """Count what arrives: a chunked body says no length."""
    total = 0

    async def counted() -> Message:
        nonlocal total
        message = await receive()
        total += len(message.get("body", b""))
        if total > BODY_LIMIT:
            raise too_long()
        return message

    return counted


def _hardened(send: Send) -> Send:
    async def with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            _set_missing(headers, HEADERS.items())
        await send(message)

    return with_headers


def _set_missing(headers: MutableHeaders, values: Iterable[tuple[str, str]]) -> None:
    for name, value in values:
        headers.setdefault(name, value)
