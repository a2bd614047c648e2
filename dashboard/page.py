"""The page for people: made by the server and whole without JavaScript, which only keeps it live (`live`). `guard` lets
in only who signed in.

Forms answer 303 to where the change shows; a refused one comes back with its error at its field, and what was typed.
"""

import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from http import HTTPStatus
from typing import Any, cast
from urllib.parse import urlencode

from anyio import CapacityLimiter, to_thread
from markupsafe import Markup
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route
from ulid import ULID

from dashboard import assets, forms, live, retention, rules, story, templating, transcript, words
from dashboard.api import download, problem
from dashboard.forms import Form, Refusal, Upload
from dashboard.guard import require_own_form
from dashboard.list_page import Lists, sentence
from dashboard.live import Live
from dashboard.overview import WAITING, Overview
from dashboard.queue import Queue
from dashboard.record import UNFINISHED, Conflict, Record, StaleVersion
from dashboard.recurring import Recurrences
from dashboard.signin import COOKIE, SignIns, Visitor
from wire.types import FileInfo, Session, Task
from wire.values import Invalid

TASKS, CHILDREN = 8, 100
"""Latest tasks on the front page, and how many of those that a task made."""
TRANSCRIPT = 128 * 1024
"""Bytes of a journal that one page shows; links lead to the rest."""
CSRF = "csrf"
"""The name of the field that each form holds."""
AT_ONCE = 4
"""Pages made at the same time: each takes some megabytes, and more would only wait for one another."""


@dataclass(frozen=True, slots=True)
class ShownSession:
    """A session, turns and dollars by its journal while its process runs, and `on` which host; `passage` of the one
    that is read here.
    """

    session: Session
    turns: int
    usd_micros: int
    tokens: int | None = None
    on: str = ""
    passage: transcript.Passage | None = None


PAGES = [("/", "Overview"), ("/tasks", "Tasks"), ("/add", "Add a task")]
"""What the pages' head leads to."""
FRONT, TASK = "/", "/tasks/"
"""Topics of the live pages: the front page's, and what a task's begins with."""
SLOW = 5
"""At each so many looks the whole front page is made; at those between only what changes from second to second."""


class Page:
    """The handlers; those that touch the store block, and run in a thread."""

    def __init__(
        self,
        queue: Queue,
        sign_ins: SignIns,
        overview: Overview,
        recurrences: Recurrences,
        random: Callable[[int], bytes] = secrets.token_bytes,
        templates: templating.Compiled | None = None,
    ) -> None:
        self._queue = queue
        self._sign_ins = sign_ins
        self._random = random
        self._store = queue.store
        self._overview = overview
        self._recurrences = recurrences
        self.lists = Lists(queue, recurrences, self._render)
        self._jinja = templating.environment(templates)
        self._jinja.globals |= {"STATES": words.STATES, "UNFINISHED": UNFINISHED, "MARKS": words.MARKS}
        self._jinja.globals |= {
            "PAGES": PAGES,
            "SUCCESSES": rules.SUCCESSES,
            "asset": assets.address,
            "sentence": sentence,
        }

    def index(self, request: Request) -> Response:
        """GET /: how all stands, what waits, what runs, today, the sync, and the latest tasks."""
        waiting = self._overview.waiting()
        parts = {**self._front(waiting), **self._quick()}
        return self._render(
            request,
            "index.html",
            None,
            parts_made={name: Markup(text) for name, text in parts.items()},  # noqa: S704 - our own templates, escaped
            seen_parts=_seen({**parts, **self._digests(waiting)}),
            waiting=waiting,
            tasks=[record.task for record in self._store.tasks(limit=TASKS)],
            notified=self._queue.notifications(),
            room=self._store.room(),
            freed=retention.latest(self._store),
        )

    def news(self, topic: str, looks: int) -> Mapping[str, str]:
        """Return the parts of a live page that may have changed: see `dashboard.live.Render`."""
        if topic != FRONT:
            record = self._store.get(topic.removeprefix(TASK))
            seen = {"seen": self._part("seen.html")} if looks % SLOW == 0 else {}
            return {**self._task_digests(record), **seen}
        waiting = self._overview.waiting()
        whole = {**self._front(waiting), "seen": self._part("seen.html")} if looks % SLOW == 0 else {}
        return {**whole, **self._quick(), **self._digests(waiting)}

    def _front(self, waiting: Sequence[Task]) -> dict[str, str]:
        ours = self._overview
        return {
            "standing": self._part("standing.html", standing=ours.standing(len(waiting))),
            "today": self._part(
                "today.html", today=ours.today(), rates=ours.rates(), limits=ours.limits, off_box=ours.off_box()
            ),
            "sync": self._part("sync.html", sync=ours.sync()),
            **({"hosts": self._part("hosts.html", fleet=ours.hosts())} if ours.has_hosts else {}),
        }

    def _quick(self) -> dict[str, str]:
        running, queued = self._overview.running(), self._overview.queued()
        return {
            "running": self._part(
                "running.html", running=running, queued=queued, most=WAITING, limits=self._overview.limits
            )
        }

    def _digests(self, waiting: Sequence[Task]) -> dict[str, str]:
        latest = self._store.tasks(limit=TASKS)
        return {
            "waiting": " ".join(f"{task.id}.{task.version}" for task in waiting),
            "tasks": " ".join(f"{record.task.id}.{record.task.version}" for record in latest),
        }

    def _task_digests(self, record: Record) -> dict[str, str]:
        held = [len(self._store.series(record.session.id))] if record.session else []
        return {"task": str(record.task.version), "journal": f"{record.task.version} {held}"}

    def _part(self, name: str, **values: Any) -> str:
        return self._jinja.get_template(name).render(now=self._queue.clock(), **values)

    def require_task(self, task_id: str) -> None:
        """Raise `NotFound` where there is no such task."""
        self._store.get(task_id)

    def adding(self, request: Request, refusal: Refusal | None = None) -> Response:
        """GET /add: the form to add a task."""
        templates = self._recurrences.templates()
        chosen = [each for each in templates if each.name == request.query_params.get("template")]
        return self._render(
            request,
            "add.html",
            refusal,
            key=str(ULID.from_datetime(self._queue.clock())),
            templates=templates,
            chosen=chosen[0] if chosen else None,
        )

    def task(self, request: Request, refusal: Refusal | None = None) -> Response:
        """GET /tasks/{id}: one task, its story, its files, its family, its sessions, and what the latest did last."""
        record = self._store.get(request.path_params["id"])
        task, sessions = self._queue.task(record), self._store.sessions(record.task.id)
        shown = [self._shown(session) for session in sessions]
        shown[-1:] = [replace(latest, passage=self._passage(latest.session.id)) for latest in shown[-1:]]
        left = record.checkpoint
        children = [child.task for child in self._store.children(record, limit=CHILDREN)]
        return self._render(
            request,
            "task.html",
            refusal,
            task=task,
            spent=task.usd_micros_spent + sum(one.usd_micros - one.session.usd_micros for one in shown),
            steps=story.steps(task, sessions, self._queue.names()),
            diffs=self._diffs(task),
            sessions=shown,
            subtasks=len(self._queue.subtasks(record)),
            children=children,
            titles={child.id: child.title for child in children},
            has_checkpoint=left is not None,
            checkpoint=self._store.blobs([left])[left].decode() if left else None,
            seen_parts=_seen(self._task_digests(record)),
        )

    def _diffs(self, task: Task) -> dict[str, str]:
        """Return what a task changed in repositories, to be read without a download: file name → text, or its head."""
        diffs = [info for info in task.files if info.name.endswith(".diff") and info.sha256]
        contents = self._store.blobs([info.sha256 for info in diffs])
        return {info.name: transcript.short(contents[info.sha256].decode(errors="replace")) for info in diffs}

    def session(self, request: Request) -> Response:
        """GET /sessions/{id}: a part of one session's transcript, the last one without `before`."""
        session = self._store.session(request.path_params["id"])
        before = forms.whole(request.query_params.get("before", ""))
        shown = replace(self._shown(session), passage=self._passage(session.id, before))
        return self._render(request, "session.html", None, task=self._store.get(session.task).task, shown=shown)

    def _passage(self, session_id: str, before: int | None = None) -> transcript.Passage:
        records = self._store.passage(session_id, before=before, size=TRANSCRIPT)
        return transcript.passage(records, is_last=before is None)

    def _shown(self, session: Session) -> ShownSession:
        on = self._queue.names().get(session.host, session.host)
        if session.exit is not None:
            return ShownSession(session, session.turns, session.usd_micros, on=on)
        used = self._store.used(session.id)
        turns, usd_micros = max(session.turns, used.turns), max(session.usd_micros, used.usd_micros)
        return ShownSession(session, turns, usd_micros, used.tokens, on)

    def result_file(self, request: Request) -> Response:
        """GET /tasks/{id}/files/{name}."""
        return self._file(request, self._store.get(request.path_params["id"]).task.files)

    def context_file(self, request: Request) -> Response:
        """GET /tasks/{id}/context/{name}."""
        return self._file(request, self._store.get(request.path_params["id"]).task.context)

    def _file(self, request: Request, infos: Sequence[FileInfo]) -> Response:
        name = request.path_params["name"]
        return download(self._queue.file(infos, name), name)

    def add(self, request: Request, form: Form) -> Response:
        """POST /tasks. The form's key makes a second click find the first one's task."""

        def act() -> Task:
            return self._queue.add(forms.new_task(form), form.typed.get("key") or None, _who(request))[0]

        return _attempt("add", act, form, lambda refusal: self.adding(request, refusal))

    def answer(self, request: Request, form: Form) -> Response:
        """POST /tasks/{id}/answer."""
        task_id, read = request.path_params["id"], forms.whole(form.typed.get("version", "")) or 0

        def act() -> Task:
            return self._queue.reply(task_id, forms.reply(form), read, _who(request))

        return _attempt("answer", act, form, lambda refusal: self.task(request, refusal))

    def edit(self, request: Request, form: Form) -> Response:
        """POST /tasks/{id}/edit."""
        task_id, read = request.path_params["id"], forms.whole(form.typed.get("version", "")) or 0

        def act() -> Task:
            return self._queue.edit(task_id, forms.edit(form), read, _who(request))

        return _attempt("edit", act, form, lambda refusal: self.task(request, refusal))

    def cancel(self, request: Request, form: Form) -> Response:
        """POST /tasks/{id}/cancel."""
        act = partial(self._queue.cancel, request.path_params["id"], _who(request))
        return _attempt("cancel", act, form, lambda refusal: self.task(request, refusal))

    def retry(self, request: Request, form: Form) -> Response:
        """POST /tasks/{id}/retry."""
        afresh = form.typed.get("start") == "afresh"
        act = partial(self._queue.retry, request.path_params["id"], afresh=afresh, by=_who(request))
        return _attempt("retry", act, form, lambda refusal: self.task(request, refusal))

    def how_to_sign_in(self, request: Request) -> Response:
        """GET /sign-in."""
        return self._render(request, "sign_in.html", None, code=None, name=None)

    def invitation(self, request: Request) -> Response:
        """GET /sign-in/{code}: the button that signs in; looking at it spends nothing."""
        code = request.path_params["code"]
        name = self._sign_ins.invited(code)
        status = 200 if name else 410
        return self._render(request, "sign_in.html", None, status=status, code=code if name else None, name=name)

    def sign_in(self, request: Request, form: Form) -> Response:
        """POST /sign-in: exchange the link's code for a cookie."""
        cookie = self._sign_ins.accept(form.typed.get("code", ""))
        if cookie is None:
            return self._render(request, "sign_in.html", None, status=410, code=None, name=None)
        response = RedirectResponse("/", 303)
        response.set_cookie(
            COOKIE, cookie, max_age=self._sign_ins.days * 86_400, secure=True, httponly=True, samesite="lax"
        )
        return response

    def sign_out(self, request: Request, _form: Form) -> Response:
        """POST /sign-out."""
        self._sign_ins.sign_out(request.cookies.get(COOKIE, ""))
        response = RedirectResponse("/sign-in", 303)
        response.delete_cookie(COOKIE, secure=True, httponly=True, samesite="lax")
        return response

    def error(self, request: Request, error: Exception) -> Response:
        """Write an error as a page."""
        said = problem(error)
        if said.status == HTTPStatus.UNAUTHORIZED:
            return self._render(request, "sign_in.html", None, status=said.status, code=None, name=None)
        return self._render(request, "error.html", None, status=said.status, problem=said)

    def _render(
        self, request: Request, template: str, refusal: Refusal | None, *, status: int = 200, **values: Any
    ) -> Response:
        visitor: Visitor | None = getattr(request.state, "visitor", None)
        given = {"refusal": refusal, "now": self._queue.clock(), "visitor": visitor, "csrf": self._csrf(visitor)}
        text = self._jinja.get_template(template).render(**given, **values)
        return HTMLResponse(text, refusal.status if refusal else status)

    def _csrf(self, visitor: Visitor | None) -> Markup:
        """Return the field that each form of the page holds, as `{{ csrf }}`."""
        token = visitor.csrf(self._random(32)) if visitor else ""
        return Markup('<input type="hidden" name="{}" value="{}">').format(CSRF, token)


def _seen(parts: Mapping[str, str]) -> str:
    """Name what a page shows as it is loaded, so that its stream begins with what is newer."""
    return urlencode({name: live.mark(text) for name, text in parts.items()})


def _attempt(name: str, act: Callable[[], Task], form: Form, show: Callable[[Refusal], Response]) -> Response:
    """Do what a form asks for, and show the task; or show the form again, with the error."""
    try:
        return RedirectResponse(f"/tasks/{act().id}", 303)
    except Invalid as error:
        field, message = forms.complaint(error, form.typed, name)
        return show(Refusal(name, message, 422, form.typed, field))
    except (Conflict, StaleVersion, UnicodeEncodeError) as error:
        said = problem(error)
        return show(Refusal(name, f"{said.title}: {said.detail}.", said.status, form.typed))


def routes(page: Page, streams: Live) -> list[Route]:
    """Return the page's routes."""
    shown: dict[str, Callable[[Request], Response]] = {
        "/": page.index,
        "/add": page.adding,
        "/sign-in": page.how_to_sign_in,
        "/sign-in/{code}": page.invitation,
        f"{assets.PREFIX}{{name}}": assets.answer,
        "/tasks": page.lists.tasks,
        "/tasks/bulk": page.lists.preview,
        "/tasks/{id}": page.task,
        "/sessions/{id}": page.session,
        "/tasks/{id}/files/{name}": page.result_file,
        "/tasks/{id}/context/{name}": page.context_file,
    }
    sent = {
        "/tasks": page.add,
        "/tasks/bulk": page.lists.apply,
        "/tasks/{id}/answer": page.answer,
        "/tasks/{id}/edit": page.edit,
        "/tasks/{id}/cancel": page.cancel,
        "/tasks/{id}/retry": page.retry,
        "/sign-out": page.sign_out,
    }
    # Threads of their own: readers of a page leave those of the API to the worker.
    threads = CapacityLimiter(AT_ONCE)
    return [
        *(Route(path, _shown(handler, threads)) for path, handler in shown.items()),
        *(Route(path, _sent(_from_visitor(handler), threads), methods=["POST"]) for path, handler in sent.items()),
        Route("/sign-in", _sent(page.sign_in, threads), methods=["POST"]),
        Route("/live", _streamed(page, streams)),
        Route("/live/tasks/{id}", _streamed(page, streams)),
    ]


def _streamed(page: Page, streams: Live) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        task_id = request.path_params.get("id")
        if task_id is not None:
            await to_thread.run_sync(page.require_task, task_id)
        topic = FRONT if task_id is None else f"{TASK}{task_id}"
        # An ASGI application answers as a response does.
        return cast("Response", streams.stream(topic, request.query_params))

    return endpoint


def _shown(
    handler: Callable[[Request], Response], threads: CapacityLimiter
) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        return await to_thread.run_sync(handler, request, limiter=threads)

    return endpoint


def _sent(
    handler: Callable[[Request, Form], Response], threads: CapacityLimiter
) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        require_own_form(request)
        return await to_thread.run_sync(handler, request, await _form(request), limiter=threads)

    return endpoint


def _who(request: Request) -> str:
    """Return the name of who is signed in."""
    return str(request.state.visitor.name)


def _from_visitor(handler: Callable[[Request, Form], Response]) -> Callable[[Request, Form], Response]:
    """Take a form only with the CSRF token of the sign-in that sends it."""

    def checked(request: Request, form: Form) -> Response:
        if not request.state.visitor.is_own(form.typed.get(CSRF, "")):
            raise HTTPException(403, "this form belongs to another sign-in, or is too old: load its page again")
        return handler(request, form)

    return checked


async def _form(request: Request) -> Form:
    """Read a form with its files; a browser ends lines with CRLF, and sends an empty file field as a nameless file."""
    # As many files as a task may bring (`wire.types.NewTask`).
    async with request.form(max_files=20, max_fields=20) as form:
        items = form.multi_items()
        typed = {name: value.replace("\r\n", "\n") for name, value in items if isinstance(value, str)}
        files = [value for _, value in items if isinstance(value, UploadFile) and value.filename]
        return Form(typed, [Upload(file.filename or "", await file.read()) for file in files])
