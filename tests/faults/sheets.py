"""Google's double as `python -m doubles.google`, which besides notes each call of Sheets: from which connection it
came, when it began and when its answer was there. From that the sweep on hosts tells whether two syncs were at work.
"""

import json
import sys
import time
from pathlib import Path

from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send

from doubles.google import services
from local import serve
from local.site import GOOGLE


class Noted:
    """Writes a line for each call below /v4 to a file."""

    def __init__(self, inner: ASGIApp, file: Path) -> None:
        self._inner, self._file = inner, file
        self._connections: dict[int, tuple[int, object]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a call on, and note it."""
        if scope["type"] != "http" or not scope["path"].startswith("/v4/"):
            await self._inner(scope, receive, send)
            return
        # Each connection has a tuple of its own, which is kept: a port comes again, and so would the place of a tuple.
        client = scope["client"]
        number, _ = self._connections.setdefault(id(client), (len(self._connections), client))
        begins = time.monotonic()
        try:
            await self._inner(scope, receive, send)
        finally:
            at, path = {"begins": begins, "ends": time.monotonic()}, scope["path"]
            called = {"host": client[0], "connection": number, **at, "path": path}
            with self._file.open("a", encoding="ascii") as file:
                file.write(json.dumps(called) + "\n")


def main() -> None:
    """Serve until a signal."""
    parser = serve.parser("tests.faults.sheets", GOOGLE, description="Google's double, which notes its calls.")
    parser.add_argument("--noted", type=Path, required=True, help="the file of the calls")
    given = parser.parse_args()
    application = services.create(serve.site("google", given).state)
    application.user_middleware.append(Middleware(Noted, file=given.noted))
    serve.run("google", application, given)


if __name__ == "__main__":
    sys.exit(main())
