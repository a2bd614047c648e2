"""The dashboard as one ASGI application: the API, the page, and the watch beside them."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import DEFAULT_EXCLUDED_CONTENT_TYPES, GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from dashboard import api, leases, page
from dashboard.backup import Backups
from dashboard.beside import Beside
from dashboard.callers import Callers
from dashboard.calls import Calls
from dashboard.duties import EVERY_S
from dashboard.guard import Guard, admit, harden, is_for_machines
from dashboard.live import Live
from dashboard.overview import Overview
from dashboard.queue import Queue
from dashboard.record import Busy, Clock, Full, Unready
from dashboard.recurring import Recurrences
from dashboard.retention import Retention
from dashboard.role_lease import WATCH
from dashboard.settings import Settings, WorkLimits
from dashboard.signin import SignIns
from dashboard.stores import Store
from dashboard.templating import Compiled
from dashboard.tokens import Tokens
from wire.values import Invalid

log = logging.getLogger(__name__)

# An answer's compressed length tells of a secret beside what an attacker chose (BREACH): forms mask their CSRF token
# anew in each answer, and the one with a sign-in's code repeats nothing that was sent.
COMPRESSION: dict[str, Any] = {
    "minimum_size": 1024,
    "compresslevel": 4,
    # Files are sent as they are: many are packed already, and their length is known to who saves them.
    "exclude_content_types": (*DEFAULT_EXCLUDED_CONTENT_TYPES, "application/octet-stream"),
}


def utc_now() -> datetime:
    """Return the time of day: the clock outside of tests."""
    return datetime.now(UTC)


class Application(Starlette):
    """The whole, in front of which plain calls are answered."""

    calls: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or the application's life."""
        await self.calls(scope, receive, send)

    async def whole(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve what is no plain call."""
        await super().__call__(scope, receive, send)


def create(  # noqa: PLR0913 - what a test replaces is an argument
    store: Store,
    tokens: Tokens | None = None,
    settings: Settings | None = None,
    clock: Clock = utc_now,
    backups: Path | None = None,
    boottime: Callable[[], float] = leases.boottime,
    *,
    callers: Callers | None = None,
    limits: WorkLimits | None = None,
    access: Path | None = None,
    beside: Beside | None = None,
    templates: Compiled | None = None,
) -> Application:
    """Make the application; closing the store stays with the caller. Without `tokens`, none is taken.

    `backups` is the folder for the store's copies; without one there are none. `callers` says who may what over the
    Unix socket; without it, only root is an operator there. `access` is the folder that keeps who is signed in; without
    one, that ends with the process. `beside` is what the host keeps beside the queue. `limits` are the worker's, for
    the page; `state.live` has the pages' streams, `state.copies` the backups. `templates` are those that are compiled
    already.
    """
    settings = settings or Settings()
    queue = Queue(store, settings, clock, boottime, beside, limits)
    copies = Backups(store, backups, settings, clock)
    retention = Retention(store, settings, clock)
    recurrences = Recurrences(queue, settings)
    look = partial(_look, queue, copies, retention)

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        beside = [_again(look, settings.watch_s, "the watch could not look", partial(_pause, queue))]
        if store.unclean:
            # After a crash a page may be half written: readyz refuses once that is found.
            beside.append(run_in_threadpool(store.check))
        beside.append(_index(store))
        if settings.table:
            beside.append(_again(queue.duties.keep, EVERY_S, "what this host does for all could not be held"))
        if settings.recurring:
            every_s = min(RECUR_S, settings.watch_s)
            beside.append(_again(recurrences.look, every_s, "recurring tasks could not be looked at"))
        tasks = [asyncio.create_task(each) for each in beside]
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await run_in_threadpool(queue.duties.close)

    sign_ins = SignIns(access / "sign-ins.json" if access else None, clock, settings.sign_in_days)
    tokens = tokens or Tokens(None, clock)
    overview = Overview(queue, limits or WorkLimits())
    shown = page.Page(queue, sign_ins, overview, recurrences, templates=templates)
    streams = Live(shown.news)
    callers = callers or Callers()

    async def refuse(request: Request, error: Exception) -> Response:
        response = api.answer_problem(error) if is_for_machines(request) else shown.error(request, error)
        # Of a fault of ours Starlette sends the answer outside of all that we put around it.
        harden(response.headers)
        return response

    errors: tuple[type[Exception], ...] = (Invalid, UnicodeEncodeError, *api.MEANINGS, HTTPException, Exception)
    calls = api.routes(api.Api(queue, copies, sign_ins, recurrences, overview, tokens), tokens, callers)
    application = Application(
        routes=[*calls, *page.routes(shown, streams)],
        middleware=[
            Middleware(GZipMiddleware, **COMPRESSION),
            Middleware(Guard, refuse=refuse, callers=callers, visitor=sign_ins.visitor),
        ],
        exception_handlers=dict.fromkeys(errors, refuse),
        lifespan=lifespan,
    )
    application.calls = Calls(application.whole, calls, admit)
    application.state.live, application.state.queue, application.state.copies = streams, queue, copies
    return application


INDEX_PAUSE_S = 0.05
"""Between two writes of the index, so that whoever waits for the store has it first."""


async def _index(store: Store) -> None:
    """Index what a release before has written, a little at a time; where that fails, the next start goes on."""
    try:
        while await run_in_threadpool(store.index_earlier):  # noqa: ASYNC110 - a pause, no wait for an event
            await asyncio.sleep(INDEX_PAUSE_S)
    except Exception:
        log.exception("tasks of an earlier release could not all be indexed for lists; the next start goes on with it")


RECUR_S = 15
"""Between two looks for recurring tasks that are due: their expressions go by the minute."""


async def _again(
    do: Callable[[], object], every_s: float, failed: str, pause: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> None:
    """Do it, again and again, with a `pause` between: what fails is logged as `failed`, and must not end it."""
    while True:
        try:
            await run_in_threadpool(do)
        except (Busy, Full, Unready) as error:
            # Where it was met says nothing of a table that is away, and would fill the journal until that is back.
            log.error("%s: %s; that is tried again in %s s", failed, error, every_s)  # noqa: TRY400 - see above
        except Exception:
            log.exception("%s; that is tried again in %s s", failed, every_s)
        await pause(every_s)


async def _pause(queue: Queue, most_s: float) -> None:
    """Wait for the next look, at most until a write finds no room: within a minute someone is to hear of that."""
    end = asyncio.get_running_loop().time() + most_s
    while (left := end - asyncio.get_running_loop().time()) > 0 and not queue.has_news:  # noqa: ASYNC110 - a thread writes
        await asyncio.sleep(min(left, 1))


def _look(queue: Queue, copies: Backups, retention: Retention) -> None:
    """One look: the night's backup, the alarms, and what is kept no longer."""
    failed = None
    try:
        copies.make_if_due()
    except (Busy, Full, Unready, OSError) as error:
        log.error("the night's backup could not be made: %s", error)  # noqa: TRY400 - its text says it all
        failed = str(error)
    queue.look(failed)
    # Last: what it deletes is in the night's backup, and its failure holds no alarm up.
    if queue.duties.has(WATCH):
        retention.prune_if_due()
