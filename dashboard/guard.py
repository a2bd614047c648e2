"""What every request passes first: the name it was sent to, the size of its body, who sent it; and the headers every
answer gets.

The page is for who signed in (`dashboard.signin`), by whichever way a request came: a port of the operator's machine
that leads here is open to all its users and to each page in their browsers. A Host that is no name of this machine's is
refused, because a rebound DNS name would carry its own; a form is taken only from the page itself. The API asks for its
token, or over the Unix socket for the caller's user, whom the kernel names.
"""

import contextlib
import re
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboard.callers import PAGE_ONLY, UID, Callers
from dashboard.signin import COOKIE, Visitor
from wire.routes import HEALTH, METRICS, READY, Right

SIGN_IN = "not signed in: `fab dashboard`, on a machine that may log in to the host, prints a link that signs you in"
BODY_LIMIT = 32 * 1024 * 1024
"""Bytes of a request: some 24 MB of files as base64, which a small box can hold and decode."""
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
OWN_NAME = re.compile(r"jada-[a-z0-9-]+\.localhost")
"""The names that `fab dashboard` prints: they lead to loopback, and browsers keep the cookies of each apart."""
OPEN = re.compile(r"/assets/[^/]*|/sign-in(/[^/]*)?")
"""What the page shows and takes without signing in."""
HEADERS = {
    # If a text of a model or a user ever became markup: no script, no address but our own would be loaded.
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self';"
    " connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    # Not no-referrer: with that, browsers send our own forms with `Origin: null`.
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
RAW_HEADERS = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
"""The same as they are sent."""


class Guard:
    """Around all routes. `refuse` writes an error as a page or a problem document."""

    def __init__(
        self,
        app: ASGIApp,
        refuse: Callable[[Request, Exception], Awaitable[Response]],
        callers: Callers,
        visitor: Callable[[str], Visitor | None],
    ) -> None:
        self._app = app
        self._refuse = refuse
        self._callers = callers
        self._visitor = visitor

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request, hardened = Request(scope), _hardened(send)
        try:
            admit(request)
            if not is_for_machines(request):
                require_operator(request, self._callers)
                request.state.visitor = self._visitor(request.cookies.get(COOKIE, ""))
                require_signed_in(request)
        except HTTPException as error:
            response = await self._refuse(request, error)
            await response(scope, receive, hardened)
            return
        # Whoever went in the middle of a request awaits no answer: it is no fault of ours for the log.
        with contextlib.suppress(ClientDisconnect):
            await self._app(scope, bounded(receive), hardened)


def admit(request: Request) -> None:
    """Refuse what neither the API nor the page takes."""
    # A token names its holder by itself: whoever sends it knows where to, and by which name.
    if not is_for_machines(request) or UID in request.scope.get("state", {}):
        check_host(request.headers)
    check_length(request.headers)
    require_door(request)


def check_host(headers: Headers) -> None:
    """Refuse a Host that is no name of this machine's loopback."""
    name = _host(f"//{headers.get('host', '')}") or ""
    if name not in LOOPBACK and not OWN_NAME.fullmatch(name):
        raise HTTPException(421, "ask for localhost, 127.0.0.1 or jada-STACK.localhost: it answers only to these names")


def require_signed_in(request: Request) -> None:
    """Refuse who has not signed in what is not open to all."""
    if request.state.visitor is None and not OPEN.fullmatch(_path(request)):
        raise HTTPException(401, SIGN_IN)


def require_door(request: Request) -> None:
    """Refuse the API where only the page is served."""
    if request.scope.get("state", {}).get(PAGE_ONLY) and is_for_machines(request):
        raise HTTPException(403, "only the page is served here: the API is on the queue's own socket")


def is_for_machines(request: Request) -> bool:
    """Say whether a request is for the API, which looks at each route's right itself."""
    path = _path(request)
    return path.startswith("/v1/") or path in (HEALTH.path, READY.path, METRICS.path)


def require_operator(request: Request, callers: Callers) -> None:
    """Refuse a user of this host who is no operator: a cookie that was copied is of no use to one."""
    uid = request.scope.get("state", {}).get(UID)
    if uid is not None and Right.OPERATOR not in callers.rights(uid):
        raise HTTPException(403, f"user {uid} lacks the right to this: it needs {Right.OPERATOR}")


def check_length(headers: Headers) -> None:
    """Refuse a body that says it is too long."""
    length = headers.get("content-length", "0")
    if not length.isdigit() or int(length) > BODY_LIMIT:
        raise too_long()


def too_long(most: int = BODY_LIMIT, which: str = "all files together") -> HTTPException:
    """Return the refusal of a body over a limit."""
    return HTTPException(413, f"the body is too large: at most {most} bytes, {which}")


def check_origin(request: Request) -> None:
    """Refuse a request that another site's page sent. A client that is no browser sends neither header."""
    headers = request.headers
    origin, site = headers.get("origin"), headers.get("sec-fetch-site", "none")
    if not (origin is None or _is_own(origin, headers)) or site not in ("same-origin", "none"):
        raise HTTPException(403, "this was sent from another site; open the dashboard and do it from there")


def require_own_form(request: Request) -> None:
    """Refuse what is not proven to come from a page of ours, by either of the headers that a browser sends with it."""
    check_origin(request)
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site != "same-origin" and origin is None:
        raise HTTPException(403, "this form says not where it comes from; send it from the page, by a current browser")


def _path(request: Request) -> str:
    """The path below the one at which a server may have mounted us."""
    return str(request.scope["path"]).removeprefix(request.scope.get("root_path", ""))


def _is_own(origin: str, headers: Headers) -> bool:
    return origin == f"http://{headers.get('host')}"


def _host(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def bounded(receive: Receive) -> Receive:
    """Count what arrives, and end it at the limit: a chunked body says no length."""
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
            harden(MutableHeaders(scope=message))
        await send(message)

    return with_headers


def harden(headers: MutableHeaders) -> None:
    """Add what each answer has, where it says nothing else."""
    for name, value in HEADERS.items():
        headers.setdefault(name, value)
