"""What was asked of this Lightsail: each call with the tags that AWS's access control would look at."""

from collections import deque
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from doubles.lightsail.records import Instance
from doubles.lightsail.store import Store

KEPT = 10_000
"""Calls; older ones are forgotten."""


class Ledger:
    """The calls since it was emptied, oldest first: action, tags in the request, and tags of the resource it names."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._calls: deque[dict[str, Any]] = deque(maxlen=KEPT)

    def routes(self) -> list[Route]:
        """Return the control calls."""
        return [Route("/_local/calls", self._control, methods=["GET", "DELETE"])]

    def write(self, action: str, request: Mapping[str, Any]) -> None:
        """Note a call before it is carried out: a deletion's resource is gone after it."""
        asked = {tag["key"]: tag.get("value", "") for tag in request.get("tags", ())}
        name = request.get("instanceName") or request.get("resourceName")
        record = self._store.find(Instance, name) if name else None
        held = {tag.key: tag.value for tag in record.tags} if record else {}
        self._calls.append({"action": action, "request_tags": asked, "resource_tags": held})

    async def _control(self, request: Request) -> Response:
        if request.method == "DELETE":
            self._calls.clear()
        return JSONResponse(list(self._calls))
