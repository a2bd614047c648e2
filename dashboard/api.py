"""The REST API under /v1, as `wire.routes` declares it: JSON, errors as RFC 9457 problem documents.

A request is read strictly, a report leniently (`wire.values`). Bodies are read on the event loop; everything that
touches the store runs in a thread.
"""

import asyncio
import logging
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import unquote, urlencode

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, QueryParams
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from dashboard import lists, metrics, openapi
from dashboard.backup import Backups
from dashboard.callers import PUBLIC, UID, Caller, Callers, user_name
from dashboard.forms import whole
from dashboard.guard import check_origin, too_long
from dashboard.overview import Overview
from dashboard.queue import Queue
from dashboard.record import Busy, Conflict, Full, NotFound, StaleVersion, Unready
from dashboard.recurring import Recurrences
from dashboard.role_lease import SYNC, LeaseRecord
from dashboard.signin import SignIns
from dashboard.stores import Sort
from dashboard.stores.journal import Readable, Unreadable
from dashboard.tokens import Tokens, rights
from wire import routes as table
from wire import types, values
from wire.routes import GZIP, UNPACKED_LIMIT, Header, Right
from wire.values import Invalid, decode_query, dump, encode, parse, read

T = TypeVar("T")

log = logging.getLogger(__name__)

AT_ONCE = 32
"""Calls that are with the store at once; with the pages' threads they are fewer than the unit's TasksMax."""


@dataclass(frozen=True, slots=True)
class Call:
    """A request as a handler sees it: its path parameters, its headers, and what it asks for, read."""

    path: Mapping[str, str]
    headers: Headers
    asked: Any
    caller: Caller

    @property
    def by(self) -> str:
        """Who does it, where that is a user: as they call themselves, for all come as one user of the host."""
        if Right.OPERATOR not in self.caller.rights:
            return ""
        said = unquote(self.headers.get(Header.OPERATOR, ""))
        return "".join(letter for letter in said if letter.isprintable()).strip()[:60] or self.caller.name


class Api:
    """The handlers, named like their routes: each takes a call and returns its response, blocking for the store."""

    def __init__(
        self,
        queue: Queue,
        backups: Backups,
        sign_ins: SignIns,
        recurrences: Recurrences,
        overview: Overview,
        tokens: Tokens,
    ) -> None:
        self._queue = queue
        self._recurrences = recurrences
        self._backups = backups
        self._sign_ins = sign_ins
        self._tokens = tokens
        self._store = queue.store
        self._roles = queue.roles
        self._overview = overview

    def add_task(self, call: Call) -> Response:
        """Queue a task; a worker may queue subtasks, which share their parent's budget."""
        if Right.OPERATOR not in call.caller.rights and call.asked.parent is None:
            raise HTTPException(403, "only an operator queues a task of its own: a worker's has a parent")
        task, is_new = self._queue.add(call.asked, call.headers.get(Header.IDEMPOTENCY_KEY), call.by)
        response = _task(task, 201 if is_new else 200)
        response.headers["Location"] = f"/v1/tasks/{task.id}"
        return response

    def tasks(self, call: Call) -> Response:
        """List tasks, a page at a time."""
        query: types.TasksQuery = call.asked
        sort = Sort(query.sort)
        tasks, found = self._queue.listing(lists.which(query), sort=sort, cursor=query.cursor, limit=query.limit)
        response = _json(types.TaskList(tasks=tuple(tasks), indexed_from=found.indexed_from))
        if found.cursor:
            rest = {**encode(query), "limit": query.limit, "cursor": found.cursor}
            response.headers["Link"] = f'<{table.TASKS.path}?{urlencode(rest)}>; rel="next"'
        return response

    def task(self, call: Call) -> Response:
        """Show one task."""
        return _task(self._queue.get(call.path["id"]))

    def sessions(self, call: Call) -> Response:
        """List a task's sessions."""
        self._store.get(call.path["id"])
        return _json(types.SessionList(sessions=tuple(self._store.sessions(call.path["id"]))))

    def result_file(self, call: Call) -> Response:
        """Send a result file."""
        files = self._store.get(call.path["id"]).task.files
        return download(self._queue.file(files, call.path["name"]), call.path["name"])

    def context_file(self, call: Call) -> Response:
        """Send a file that came with the task."""
        files = self._store.get(call.path["id"]).task.context
        return download(self._queue.file(files, call.path["name"]), call.path["name"])

    def workspace(self, call: Call) -> Response:
        """Send the workspace that a task's last session left, to a host that has it not."""
        return Response(self._queue.workspace(call.path["id"]), media_type="application/octet-stream")

    def reply(self, call: Call) -> Response:
        """Take a user's answer to what waits."""
        version = _version(call.headers)
        if version is None:
            raise HTTPException(428, 'send If-Match: "<version>" of the task that is answered')
        return _task(self._queue.reply(call.path["id"], call.asked, version, call.by))

    def cancel(self, call: Call) -> Response:
        """Cancel a task and its unfinished subtasks."""
        return _task(self._queue.cancel(call.path["id"], call.by))

    def retry(self, call: Call) -> Response:
        """Queue a failed task again."""
        return _task(self._queue.retry(call.path["id"], afresh=call.asked.start == "afresh", by=call.by))

    def edit(self, call: Call) -> Response:
        """Change a task's priority or budget."""
        return _task(self._queue.edit(call.path["id"], call.asked, _version(call.headers), call.by))

    def claim(self, call: Call) -> Response:
        """Give out the next task; 204 when there is nothing to do."""
        words = call.headers.get(Header.CLAIM, "").split()
        claim = self._queue.claim(call.asked, call.headers.get(Header.IDEMPOTENCY_KEY), words)
        return Response(status_code=204) if claim is None else _json(claim)

    def heartbeat(self, call: Call) -> Response:
        """Renew a lease."""
        return _json(self._queue.heartbeat(call.path["id"], call.asked))

    def deliver(self, call: Call) -> Response:
        """Keep journal records."""
        return _json(self._queue.deliver(call.path["id"], call.asked))

    def events(self, call: Call) -> Response:
        """Show a session's delivered journal."""
        chunks = self._store.chunks(call.path["id"], after=call.asked.after)
        return StreamingResponse(_event_list(chunks), media_type="application/json")

    def end(self, call: Call) -> Response:
        """Record how a session's process ended."""
        return _task(self._queue.end(call.path["id"], call.asked))

    def report(self, call: Call) -> Response:
        """Keep a sync run."""
        self._queue.report(call.asked)
        return _json(call.asked, 201)

    def sync_runs(self, _call: Call) -> Response:
        """List the latest sync runs."""
        return _json(types.SyncRunList(sync_runs=tuple(self._store.sync_runs())))

    def take_lease(self, call: Call) -> Response:
        """Give the sync's lease to who asks for it, or say who has it."""
        asked: types.TakeLease = call.asked
        return _lease(self._roles.take(SYNC, asked.holder, asked.ttl_s, asked.request_s), asked.holder)

    def renew_lease(self, call: Call) -> Response:
        """Keep that the sync's holder lives."""
        held = self._roles.renew(SYNC, call.asked.fence)
        return _lease(held, held.holder)

    def release_lease(self, call: Call) -> Response:
        """Take the sync's lease back from its holder."""
        self._roles.release(SYNC, call.asked.fence)
        return _json(call.asked)

    def kept(self, call: Call) -> Response:
        """Show what the sync keeps under a name."""
        found = self._store.kept(SYNC, _kept_name(call))
        if found is None:
            raise NotFound(f"nothing is kept under {call.path['name']}")
        return _json(types.KeptContent(version=found.version, content=found.content))

    def keep(self, call: Call) -> Response:
        """Keep a content of the sync."""
        asked: types.Keep = call.asked
        types.require_small_files("keep", (types.File(name="content", content=asked.content),))
        return _json(
            types.KeptVersion(
                version=self._store.keep(SYNC, asked.fence, _kept_name(call), asked.content, asked.version)
            )
        )

    def back_up(self, _call: Call) -> Response:
        """Make a backup."""
        return _json(self._backups.make(), 201)

    def backups(self, _call: Call) -> Response:
        """List the backups."""
        return _json(types.BackupList(backups=tuple(self._backups.listed())))

    def templates(self, _call: Call) -> Response:
        """List the templates of tasks."""
        return _json(types.TemplateList(templates=tuple(self._recurrences.templates())))

    def recurring(self, _call: Call) -> Response:
        """List the recurring tasks."""
        return _json(types.RecurrenceList(recurring=tuple(self._recurrences.listed())))

    def due_messages(self, _call: Call) -> Response:
        """List the messages that are due."""
        return _json(types.MessageList(messages=tuple(self._queue.due_messages())))

    def settle_message(self, call: Call) -> Response:
        """Keep how a try to deliver a message ended."""
        self._queue.settle_message(call.asked)
        return _json(call.asked)

    def notifications(self, _call: Call) -> Response:
        """Say how telling users stands."""
        return _json(self._queue.notifications())

    def invite(self, call: Call) -> Response:
        """Make a link that signs in to the page."""
        return _json(self._sign_ins.invite(call.asked.name), 201)

    def make_token(self, call: Call) -> Response:
        """Make a token."""
        return _json(self._tokens.make(call.asked.name, call.asked.scope), 201)

    def tokens(self, _call: Call) -> Response:
        """List the tokens."""
        return _json(types.TokenList(tokens=self._tokens.listed()))

    def revoke_token(self, call: Call) -> Response:
        """Take a token no more."""
        return _json(self._tokens.revoke(call.path["id"]))

    def present(self, call: Call) -> Response:
        """Keep that a worker lives, and what keeps it from its work."""
        self._queue.present(call.asked)
        return _json(self._queue.wellness())

    def today(self, call: Call) -> Response:
        """Say what the queue knows of a host's day."""
        return _json(self._queue.today(call.path["host"]))

    def hosts(self, _call: Call) -> Response:
        """Say how each host stands."""
        return _json(self._overview.hosts())

    def rates(self, _call: Call) -> Response:
        """Say how sessions ended."""
        return _json(self._overview.counted())

    def wellness(self, _call: Call) -> Response:
        """Say whether all is truly well; the queue is proven first."""
        return _json(self._queue.proven_wellness())

    def metrics(self, _call: Call) -> Response:
        """Write the figures for a Prometheus."""
        return Response(metrics.text(metrics.families(self._overview.figures())), media_type=metrics.MEDIA)

    def health(self, _call: Call) -> Response:
        """Say that the dashboard lives."""
        return _json(types.Health(status="ok"))

    def ready(self, _call: Call) -> Response:
        """Say that the queue holds what it is given."""
        self._store.prove()
        return _json(types.Health(status="ready"))


def routes(api: Api, tokens: Tokens, callers: Callers) -> list[Route]:
    """Return the routes; all but public ones ask who calls: over a Unix socket the kernel, else a token."""
    by_path: dict[str, dict[str, table.Route[object]]] = {}
    for route in table.ROUTES:
        by_path.setdefault(route.path, {})[route.method] = route
    described = Route(openapi.PATH, _description, methods=["GET"])
    # The release before asks here; it is rolled back to.
    by_path["/v1/health"] = by_path[table.HEALTH.path]
    # Not anyio's threads: its way to one takes twice as long. It ends its threads itself once nothing refers to it.
    threads = ThreadPoolExecutor(AT_ONCE, "call")
    known = [
        Route(path, _endpoint(api, by_method, tokens, callers, threads), methods=[*by_method])
        for path, by_method in by_path.items()
    ]
    return [described, *known]


async def _description(_request: Request) -> Response:
    return Response(openapi.text(), media_type="application/json")


def _endpoint(
    api: Api, by_method: dict[str, table.Route[object]], tokens: Tokens, callers: Callers, threads: ThreadPoolExecutor
) -> Callable[[Request], Any]:
    handlers: dict[str, Callable[[Call], Response]] = {m: getattr(api, route.name) for m, route in by_method.items()}

    async def endpoint(request: Request) -> Response:
        # Starlette adds HEAD to every GET.
        method = "GET" if request.method == "HEAD" else request.method
        route = by_method[method]
        caller = _caller(request, route, tokens, callers)
        body = await request.body()
        if route.packed and (coding := request.headers.get("Content-Encoding")):
            body = await run_in_threadpool(_unpacked, body, coding)
        asked = _asked(route, body, request.query_params)
        call = Call(request.path_params, request.headers, asked, caller)
        response = await asyncio.get_running_loop().run_in_executor(threads, handlers[method], call)
        if route.packed:
            response.headers.update(TAKES_PACKED)
        return response

    return endpoint


TAKES_PACKED = {"Accept-Encoding": GZIP}


def _unpacked(body: bytes, coding: str) -> bytes:
    """Unpack a request, no further than it may be long: a few bytes can stand for a thousand times as many."""
    if coding != GZIP:
        raise HTTPException(415, f"the content coding {coding} is not read here, {GZIP} is", TAKES_PACKED)
    unpacker = zlib.decompressobj(wbits=31)  # gzip, nothing else
    try:
        plain = unpacker.decompress(body, UNPACKED_LIMIT + 1)
    except zlib.error as error:
        raise HTTPException(400, f"the body is no {GZIP}: {error}") from error
    if len(plain) > UNPACKED_LIMIT:
        raise too_long(UNPACKED_LIMIT, "unpacked")
    if not unpacker.eof or unpacker.unused_data:
        raise HTTPException(400, f"the body is no whole {GZIP}")
    return plain


def _caller(request: Request, route: table.Route[object], tokens: Tokens, callers: Callers) -> Caller:
    """Return who calls; raises HTTPException where that is not known, or may not call this."""
    uid = request.scope.get("state", {}).get(UID)
    if uid is not None:
        # What another page makes a browser send comes over an operator's own tunnel, as the operator.
        check_origin(request)
        caller = Caller(user_name(uid), callers.rights(uid))
    elif route.right is Right.PUBLIC:
        return PUBLIC
    else:
        caller = _holder(request.headers.get("Authorization", ""), tokens)
    if route.right not in caller.rights:
        raise HTTPException(403, f"{caller.name} lacks the right to this: it needs {route.right}")
    return caller


def _holder(header: str, tokens: Tokens) -> Caller:
    held = tokens.holder(header.removeprefix("Bearer ")) if header.startswith("Bearer ") else None
    if held is None:
        message = "this API needs a token that `fab token.make` made: Authorization: Bearer TOKEN"
        raise HTTPException(401, message, headers={"WWW-Authenticate": "Bearer"})
    return Caller(held.name, rights(held))


def _asked(route: table.Route[object], body: bytes, query: QueryParams) -> Any:
    """Read what a request asks for; raises `Invalid`, and HTTPException 400 for a body that is no JSON."""
    if route.query:
        return decode_query(route.query, query.multi_items())
    if not route.request:
        return None
    try:
        return (parse if issubclass(route.request, values.Request) else read)(route.request, body)
    except Invalid as error:
        if not error.field:
            raise HTTPException(400, f"the body {error.reason}") from error
        raise


def _version(headers: Headers) -> int | None:
    """Return the version of If-Match, or None where it was not sent."""
    tag = headers.get(Header.IF_MATCH)
    if tag is None:
        return None
    version = whole(tag.strip('"'))
    if version is None:
        raise HTTPException(412, f'If-Match must be the task\'s ETag, like "3", not {tag}')
    return version


def _event_list(chunks: Iterable[Sequence[Readable]]) -> Iterator[bytes]:
    """Write `wire.types.EventList` piece by piece: a journal has megabytes, and its readers may be slow."""
    broken: list[types.Unreadable] = []
    yield b'{"events":['
    between = b""
    for chunk in chunks:
        events = [dump(record) for record in chunk if isinstance(record, types.Event)]
        broken += [types.Unreadable(n=r.n, last=r.last, why=r.why) for r in chunk if isinstance(r, Unreadable)]
        if events:
            yield between + b",".join(events)
            between = b","
    yield b"]" + (b',"unreadable":' + dump(broken) if broken else b"") + b"}"


def _lease(held: LeaseRecord, asker: str | None) -> Response:
    is_held = held.holder == asker
    return _json(types.RoleLease(held=is_held, holder=held.holder or "", fence=held.fence, ttl_s=held.ttl_s))


def _kept_name(call: Call) -> str:
    """The name of a kept content; raises `NotFound` for one that none can have."""
    name = call.path["name"]
    if not re.fullmatch(types.FILE_NAME, name):
        raise NotFound(f"nothing can be kept under {name!r}: {types.FILE_NAME}")
    return name


def _json(value: object, status: int = 200) -> Response:
    return Response(dump(value), status, media_type="application/json")


def _task(task: types.Task, status: int = 200) -> Response:
    response = _json(task, status)
    response.headers["ETag"] = f'"{task.version}"'
    return response


def download(content: bytes, name: str) -> Response:
    """Return a file to be saved, never to be shown: its content comes from a model or from outside."""
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type="application/octet-stream", headers=headers)


MEANINGS: dict[type[Exception], tuple[str, int]] = {
    NotFound: ("Not found", 404),
    Conflict: ("Not in this state", 409),
    StaleVersion: ("Changed meanwhile", 412),
    Busy: ("Busy", 503),
    Unready: ("Not ready", 503),
    Full: ("No room", 507),
}
"""Each refusal of queue and store: its title and status."""


def problem(error: Exception) -> types.Problem:
    """Say what an error means to the client that sent the request."""
    match error:
        case Invalid():
            return types.Problem(title="Unacceptable value", status=422, detail=str(error), field=error.field)
        case UnicodeEncodeError():
            return types.Problem(title="Unacceptable value", status=422, detail="a text holds half of a character")
        case HTTPException():
            return types.Problem(title="Refused", status=error.status_code, detail=error.detail)
    fault = "see the dashboard's journal: journalctl -u jada-dashboard"
    for kind, (title, status) in MEANINGS.items():
        if isinstance(error, kind):
            return types.Problem(title=title, status=status, detail=str(error))
    return types.Problem(title="Our fault", status=500, detail=fault)


def answer_problem(error: Exception) -> Response:
    """Write an error as a problem document."""
    said = problem(error)
    headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
    if isinstance(error, Busy | Unready):
        headers["Retry-After"] = "1" if isinstance(error, Busy) else "60"
    return Response(dump(said), said.status, headers=headers, media_type="application/problem+json")
