"""The REST API under /v1: bearer token, JSON read strictly into `wire.types`, errors as RFC 9457 problem documents.

Bodies are read on the event loop; everything that touches the store runs in a thread.
"""

import hashlib
import hmac
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, QueryParams
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from dashboard.forms import whole
from dashboard.queue import Queue
from dashboard.record import Changed, Conflict, Unknown
from wire.types import Batch, ClaimRequest, Heartbeat, NewTask, Problem, Reply, SessionEnd, State, SyncRun, Task
from wire.values import Invalid, decode, encode

T = TypeVar("T")
MOST_TASKS = 200
"""Tasks on one page of a listing."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Call:
    """A request with its body read: what a handler may look at outside the event loop."""

    path: dict[str, str]
    query: QueryParams
    headers: Headers
    body: bytes

    def read(self, cls: type[T]) -> T:
        """Read the body; raises `Invalid`, and HTTPException 400 when it is no JSON."""
        try:
            data = json.loads(self.body, parse_constant=_no_constant)
        except (ValueError, RecursionError) as error:
            raise HTTPException(400, f"the body is no JSON: {error}") from error
        return decode(cls, data)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


class Api:
    """The handlers: each takes a call and returns its response, blocking for the store."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self._store = queue.store

    def add_task(self, call: Call) -> Response:
        """POST /v1/tasks."""
        task, is_new = self._queue.add(call.read(NewTask), call.headers.get("Idempotency-Key"))
        response = _task(task, 201 if is_new else 200)
        response.headers["Location"] = f"/v1/tasks/{task.id}"
        return response

    def tasks(self, call: Call) -> Response:
        """GET /v1/tasks?state=&limit=&cursor=, newest first."""
        state, limit, cursor = _state(call.query), _number(call.query, "limit", 50), call.query.get("cursor")
        if not 1 <= limit <= MOST_TASKS:
            raise Invalid("limit", f"must be from 1 to {MOST_TASKS}")
        found = [record.task for record in self._store.tasks(state, before=cursor, limit=limit + 1)]
        response = JSONResponse({"tasks": encode(found[:limit])})
        if len(found) > limit:
            rest = f"&state={state}" if state else ""
            response.headers["Link"] = f'</v1/tasks?cursor={found[limit - 1].id}&limit={limit}{rest}>; rel="next"'
        return response

    def task(self, call: Call) -> Response:
        """GET /v1/tasks/{id}."""
        return _task(self._store.get(call.path["id"]).task)

    def sessions(self, call: Call) -> Response:
        """GET /v1/tasks/{id}/sessions, oldest first."""
        self._store.get(call.path["id"])
        return JSONResponse({"sessions": encode(self._store.sessions(call.path["id"]))})

    def result_file(self, call: Call) -> Response:
        """GET /v1/tasks/{id}/files/{name}."""
        return download(self._store.file(call.path["id"], "result", call.path["name"]), call.path["name"])

    def context_file(self, call: Call) -> Response:
        """GET /v1/tasks/{id}/context/{name}."""
        return download(self._store.file(call.path["id"], "context", call.path["name"]), call.path["name"])

    def answer(self, call: Call) -> Response:
        """POST /v1/tasks/{id}/answer with If-Match."""
        tag = call.headers.get("If-Match")
        if tag is None:
            raise HTTPException(428, 'send If-Match: "<version>" of the task that is answered')
        version = whole(tag.strip('"'))
        if version is None:
            raise HTTPException(412, f'If-Match must be the task\'s ETag, like "3", not {tag}')
        return _task(self._queue.reply(call.path["id"], call.read(Reply), version))

    def cancel(self, call: Call) -> Response:
        """POST /v1/tasks/{id}/cancel."""
        return _task(self._queue.cancel(call.path["id"]))

    def retry(self, call: Call) -> Response:
        """POST /v1/tasks/{id}/retry."""
        return _task(self._queue.retry(call.path["id"]))

    def claim(self, call: Call) -> Response:
        """POST /v1/claims: 204 when there is nothing to do."""
        claim = self._queue.claim(call.read(ClaimRequest))
        return Response(status_code=204) if claim is None else JSONResponse(encode(claim))

    def heartbeat(self, call: Call) -> Response:
        """POST /v1/tasks/{id}/heartbeat."""
        return JSONResponse(encode(self._queue.heartbeat(call.path["id"], call.read(Heartbeat))))

    def deliver(self, call: Call) -> Response:
        """POST /v1/sessions/{id}/events."""
        return JSONResponse(encode(self._queue.deliver(call.path["id"], call.read(Batch))))

    def events(self, call: Call) -> Response:
        """GET /v1/sessions/{id}/events?after=n."""
        events = self._store.events(call.path["id"], after=_number(call.query, "after", 0))
        return JSONResponse({"events": encode(events)})

    def end(self, call: Call) -> Response:
        """POST /v1/sessions/{id}/end."""
        return _task(self._queue.end(call.path["id"], call.read(SessionEnd)))

    def report(self, call: Call) -> Response:
        """POST /v1/sync-runs."""
        run = call.read(SyncRun)
        self._queue.report(run)
        return JSONResponse(encode(run), 201)

    def sync_runs(self, _call: Call) -> Response:
        """GET /v1/sync-runs, newest first."""
        return JSONResponse({"sync_runs": encode(self._store.sync_runs())})


def routes(queue: Queue, token_hash: bytes) -> list[Route]:
    """Return the routes; all but health ask for the bearer token whose SHA-256 is `token_hash`."""
    api = Api(queue)
    table: tuple[tuple[str, str, Callable[[Call], Response]], ...] = (
        ("POST", "/v1/tasks", api.add_task),
        ("GET", "/v1/tasks", api.tasks),
        ("GET", "/v1/tasks/{id}", api.task),
        ("GET", "/v1/tasks/{id}/sessions", api.sessions),
        ("GET", "/v1/tasks/{id}/files/{name}", api.result_file),
        ("GET", "/v1/tasks/{id}/context/{name}", api.context_file),
        ("POST", "/v1/tasks/{id}/answer", api.answer),
        ("POST", "/v1/tasks/{id}/cancel", api.cancel),
        ("POST", "/v1/tasks/{id}/retry", api.retry),
        ("POST", "/v1/tasks/{id}/heartbeat", api.heartbeat),
        ("POST", "/v1/claims", api.claim),
        ("POST", "/v1/sessions/{id}/events", api.deliver),
        ("GET", "/v1/sessions/{id}/events", api.events),
        ("POST", "/v1/sessions/{id}/end", api.end),
        ("POST", "/v1/sync-runs", api.report),
        ("GET", "/v1/sync-runs", api.sync_runs),
    )
    paths: dict[str, dict[str, Callable[[Call], Response]]] = {}
    for method, path, handler in table:
        paths.setdefault(path, {})[method] = handler
    known = [Route(path, _endpoint(by_method, token_hash), methods=[*by_method]) for path, by_method in paths.items()]
    return [Route("/v1/health", _health), *known]


async def _health(_request: Request) -> Response:
    return JSONResponse({"status": "ok"})


def _endpoint(by_method: dict[str, Callable[[Call], Response]], token_hash: bytes) -> Callable[[Request], Any]:
    async def endpoint(request: Request) -> Response:
        _authorise(request.headers.get("Authorization", ""), token_hash)
        call = Call(request.path_params, request.query_params, request.headers, await request.body())
        method = "GET" if request.method == "HEAD" else request.method
        return await run_in_threadpool(by_method[method], call)

    return endpoint


def _authorise(header: str, token_hash: bytes) -> None:
    given = hashlib.sha256(header.removeprefix("Bearer ").encode()).digest()
    if not header.startswith("Bearer ") or not hmac.compare_digest(given, token_hash):
        message = "this API needs its bearer token: Authorization: Bearer <dashboard_token>"
        raise HTTPException(401, message, headers={"WWW-Authenticate": "Bearer"})


def _task(task: Task, status: int = 200) -> JSONResponse:
    return JSONResponse(encode(task), status, headers={"ETag": f'"{task.version}"'})


def download(content: bytes, name: str) -> Response:
    """Return a file to be saved, never to be shown: its content comes from a model or from outside."""
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type="application/octet-stream", headers=headers)


def _state(query: QueryParams) -> State | None:
    try:
        return State(query["state"]) if query.get("state") else None
    except ValueError:
        raise Invalid("state", f"must be one of {', '.join(State)}, not {query['state']!r}") from None


def _number(query: QueryParams, name: str, default: int) -> int:
    number = whole(query.get(name, str(default)))
    if number is None:
        raise Invalid(name, f"must be a whole number, not {query[name]!r}")
    return number


_MEANINGS = {Unknown: ("Not found", 404), Conflict: ("Not in this state", 409), Changed: ("Changed meanwhile", 412)}


def problem(error: Exception) -> Problem:
    """Say what an error means to the one who sent the request."""
    match error:
        case Invalid():
            return Problem(title="Unacceptable value", status=422, detail=str(error), field=error.field)
        case UnicodeEncodeError():
            return Problem(title="Unacceptable value", status=422, detail="a text holds half of a character")
        case HTTPException():
            return Problem(title="Refused", status=error.status_code, detail=error.detail)
    fault = "see the dashboard's journal: journalctl -u jada-dashboard"
    for kind, (title, status) in _MEANINGS.items():
        if isinstance(error, kind):
            return Problem(title=title, status=status, detail=str(error))
    return Problem(title="Our fault", status=500, detail=fault)


def answer_problem(error: Exception) -> Response:
    """Write an error as a problem document."""
    said = problem(error)
    headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
    return JSONResponse(encode(said), said.status, headers=headers, media_type="application/problem+json")
