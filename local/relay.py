"""Stand in the Claude double's place and pass every call to the real API: what `make demo CLAUDE=real` runs.

The hosts reach nothing but the cloud's own address, so this listens there and calls out from the machine's network.
The key comes from the host's session with each request, and goes nowhere else.
"""

import contextlib
import ctypes
import os
from collections.abc import AsyncIterator
from pathlib import Path

import urllib3
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from local import serve
from local.site import CLAUDE

API = "https://api.anthropic.com"
HOP = frozenset({"host", "connection", "content-length", "transfer-encoding", "accept-encoding", "keep-alive"})
"""Headers of one connection, or that the two connections must each make for themselves (RFC 9110, 7.6.1)."""
# CLONE_NEWNET, as setns(2) takes it.
_NEW_NETWORK = 0x40000000


def create(target: str, outside: Path | None = None) -> Starlette:
    """Return the relay to `target`; it calls from the network namespace `outside` (a file), or from its own."""
    # The session retries by itself, and counts what each try may cost.
    pool = urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(connect=10, read=600))

    async def relay(request: Request) -> Response:
        headers = {k: v for k, v in request.headers.items() if k not in HOP}
        url = f"{target}{request.url.path}" + (f"?{request.url.query}" if request.url.query else "")
        body = await request.body()
        try:
            answer = await run_in_threadpool(
                pool.request, request.method, url, body=body, headers=headers, preload_content=False
            )
        except urllib3.exceptions.HTTPError as error:
            return _error(502, "api_error", f"{target} can't be reached: {error}")
        kept = {k: v for k, v in answer.headers.items() if k.lower() not in HOP | {"content-encoding"}}
        return StreamingResponse(answer.stream(decode_content=True), answer.status, kept)

    @contextlib.asynccontextmanager
    async def leave(_app: Starlette) -> AsyncIterator[None]:
        # The port is open by now and stays where it is; connections made from here on belong to the other namespace.
        if outside:
            _enter(outside)
        yield

    methods = ["GET", "POST", "DELETE"]
    orders = Route("/_local/{path:path}", _refuse, methods=methods)
    return Starlette(routes=[orders, Route("/{path:path}", relay, methods=methods)], lifespan=leave)


def _refuse(_request: Request) -> Response:
    """Refuse what is meant for the double: no order to it leaves this machine."""
    return _error(404, "not_found_error", "this is a double's order, and the real API stands in its place")


def _error(status: int, kind: str, message: str) -> Response:
    return JSONResponse({"type": "error", "error": {"type": kind, "message": message}}, status)


def _enter(namespace: Path) -> None:
    handle = os.open(namespace, os.O_RDONLY)
    try:
        if ctypes.CDLL(None, use_errno=True).setns(handle, _NEW_NETWORK):
            raise OSError(ctypes.get_errno(), f"can't enter {namespace}")
    finally:
        os.close(handle)


def main() -> None:
    """Serve until a signal."""
    parser = serve.parser("local.relay", CLAUDE, description="Pass Messages API calls to the real API.")
    parser.add_argument("--to", default=API, help="the API (default: %(default)s)")
    parser.add_argument("--outside", type=Path, help="a network namespace to call out from, such as /proc/1/ns/net")
    given = parser.parse_args()
    serve.run("claude", create(given.to, given.outside), given)


if __name__ == "__main__":
    main()
