"""The dashboard's REST API as calls: what the daemon, the sync and the operator use.

All are tried again within bounds, by the way there (`wire.exchange`); what still fails is `Unreachable` (no answer) or
`RequestRefused` (the dashboard said no, with its problem document).
"""

import urllib.parse
import uuid
import zlib
from collections.abc import Collection, Iterable
from typing import Literal, TypeVar

from wire import routes, types
from wire.addresses import needs_token
from wire.exchange import Answer, NoAnswer, Transport
from wire.routes import GZIP, UNPACKED_LIMIT, ClaimWord, Header, Route
from wire.secret import Secret
from wire.values import Invalid, dump, encode, read

A = TypeVar("A")
NO_CONTENT, BAD_REQUEST, NOT_FOUND = 204, 400, 404


PACKED_FROM = 300
"""Bytes from which on a request is packed: of less, gzip's own frame would take back what is won."""


class Unreachable(Exception):
    """The dashboard did not answer, or not as itself: try again later; nothing is known about what was sent."""


class RequestRefused(Exception):
    """The dashboard refused: `problem` says what; 409 is a stale fence or a move that the state forbids."""

    def __init__(self, problem: types.Problem) -> None:
        super().__init__(f"{problem.status} {problem.title}: {problem.detail}")
        self.problem = problem


class Client:
    """Calls to one dashboard, a method for each of `wire.routes`: at `unix:PATH`, or at an address with a token. What
    an operator does is kept under the name `operator`.

    `timeout_s` bounds each try. All writes may be sent twice: claims are fenced, batches numbered, ends idempotent,
    tasks carry an Idempotency-Key.
    """

    def __init__(
        self, url: str, token: Secret | None = None, *, operator: str = "", timeout_s: float = 10, retries: int = 3
    ) -> None:
        self._url = url.rstrip("/")
        # Until an answer of this dashboard said so: the release before reads no packed request.
        self._takes_packed = False
        self._headers = {"Accept": "application/json"}
        if operator:
            self._headers[Header.OPERATOR] = urllib.parse.quote(operator)
        if token:
            self._headers["Authorization"] = f"Bearer {token.reveal()}"
        if needs_token(self._url):
            # Only here: what runs on the queue's own host does without urllib3, which doubles an idle daemon's memory.
            from wire.tcp import OverTcp  # noqa: PLC0415

            self._transport: Transport = OverTcp(self._url, timeout_s, retries)
        else:
            # Only here: an operator's machine has no httptools.
            from wire.unix import OverUnix  # noqa: PLC0415

            self._transport = OverUnix(self._url.removeprefix("unix:"), timeout_s, retries)

    def add_task(self, task: types.NewTask, *, key: str | None = None) -> types.Task:
        """Queue a task; the same `key` (Idempotency-Key) with the same task gives the first one again.

        Without one, a new one is made for this call: an answer that was lost makes no second task.
        """
        return self._call(routes.ADD_TASK, task, headers={Header.IDEMPOTENCY_KEY: key or str(uuid.uuid4())})

    def task(self, task_id: str) -> types.Task:
        """Return one task; raises `RequestRefused` 404."""
        return self._call(routes.TASK, id=task_id)

    def tasks(  # noqa: PLR0913 - a filter each
        self,
        state: types.State | None = None,
        *,
        words: str | None = None,
        label: str | None = None,
        least: int | None = None,
        most: int | None = None,
        since: str | None = None,
        until: str | None = None,
        sort: Literal["newest", "oldest", "cost"] = "newest",
    ) -> Iterable[types.Task]:
        """Yield the tasks that fit all filters (see `types.TasksQuery`), page by page."""
        asked = types.TasksQuery(
            state=state, words=words, label=label, least=least, most=most, since=since, until=until, sort=sort
        )
        address: str | None = self._address(routes.TASKS, asked)
        while address:
            response = self._send("GET", address)
            yield from _answer(routes.TASKS, response).tasks
            address = _next(response.headers.get("link"))

    def sessions(self, task_id: str) -> tuple[types.Session, ...]:
        """Return a task's sessions, oldest first."""
        return self._call(routes.SESSIONS, id=task_id).sessions

    def events(self, session_id: str, after: int = 0) -> tuple[types.Event, ...]:
        """Return the acknowledged journal of a session after record `after`; raises `RequestRefused` 422 where it is
        damaged.
        """
        found = self.journal(session_id, after)
        if found.unreadable:
            first = found.unreadable[0]
            detail = f"record {first.n} of session {session_id} cannot be read: {first.why}"
            raise RequestRefused(types.Problem(title="Damaged", status=422, detail=detail))
        return found.events

    def journal(self, session_id: str, after: int = 0) -> types.EventList:
        """Return what can be read of a session's acknowledged journal after record `after`, and what cannot."""
        return self._call(routes.EVENTS, types.EventsQuery(after=after), id=session_id)

    def result_file(self, task_id: str, name: str) -> bytes:
        """Return a result file; raises `RequestRefused` 404."""
        return self._send("GET", self._address(routes.RESULT_FILE, id=task_id, name=name)).data

    def context_file(self, task_id: str, name: str) -> bytes:
        """Return a file that came with a task; raises `RequestRefused` 404."""
        return self._send("GET", self._address(routes.CONTEXT_FILE, id=task_id, name=name)).data

    def workspace(self, task_id: str) -> bytes:
        """Return the archive of the workspace that a task's last session left; raises `RequestRefused` 404."""
        return self._send("GET", self._address(routes.WORKSPACE, id=task_id)).data

    def reply(self, task_id: str, reply: types.Reply, *, version: int) -> types.Task:
        """Answer what waits; `version` is the task that was read (If-Match): 412 when it has changed since."""
        return self._call(routes.REPLY, reply, headers={Header.IF_MATCH: f'"{version}"'}, id=task_id)

    def cancel(self, task_id: str) -> types.Task:
        """Cancel a task that is not finished, and its unfinished subtasks with it."""
        return self._call(routes.CANCEL, id=task_id)

    def retry(self, task_id: str, *, afresh: bool = False) -> types.Task:
        """Queue a failed task again: as it stood, or `afresh` in a new session from its checkpoint."""
        query = types.RetryQuery(start="afresh") if afresh else types.RetryQuery()
        return self._call(routes.RETRY, query, id=task_id)

    def edit(self, task_id: str, edit: types.Edit, *, version: int | None = None) -> types.Task:
        """Change a task's priority or budget; with a `version` only while it has that (If-Match: else 412)."""
        headers = {} if version is None else {Header.IF_MATCH: f'"{version}"'}
        return self._call(routes.EDIT, edit, headers=headers, id=task_id)

    def claim(
        self, request: types.ClaimRequest, *, key: str | None = None, words: Collection[ClaimWord] = ()
    ) -> types.Claim | None:
        """Claim the next task; None when there is none.

        The same `key` gives the same claim again while its lease holds, and 409 after that; without one, a new one is
        made for this call. `words` say more of what is asked.
        """
        headers = {Header.IDEMPOTENCY_KEY: key or str(uuid.uuid4())}
        if words:
            headers[Header.CLAIM] = " ".join(words)
        response = self._send("POST", self._address(routes.CLAIM), request, headers)
        return None if response.status == NO_CONTENT else _answer(routes.CLAIM, response)

    def heartbeat(self, task_id: str, beat: types.Heartbeat) -> types.HeartbeatReply:
        """Renew a lease; raises `RequestRefused` 409 when the fence is stale."""
        return self._call(routes.HEARTBEAT, beat, id=task_id)

    def deliver(self, session_id: str, batch: types.Batch) -> types.Acknowledged:
        """Deliver journal records; safe to repeat."""
        return self._call(routes.DELIVER, batch, id=session_id)

    def end(self, session_id: str, end: types.SessionEnd) -> types.Task:
        """Record how a session's process ended; safe to repeat."""
        return self._call(routes.END, end, id=session_id)

    def report(self, run: types.SyncRun) -> types.SyncRun:
        """Report a sync run."""
        return self._call(routes.REPORT, run)

    def sync_runs(self) -> tuple[types.SyncRun, ...]:
        """Return the latest sync runs, newest first."""
        return self._call(routes.SYNC_RUNS).sync_runs

    def take_lease(self, asked: types.TakeLease) -> types.RoleLease:
        """Ask for the sync's lease: `held` says whether it was given. Its time counts from before this call."""
        return self._call(routes.TAKE_LEASE, asked)

    def renew_lease(self, fence: int) -> types.RoleLease:
        """Keep the sync's lease alive; raises `RequestRefused` 409 when another has it: stop, and write nothing."""
        return self._call(routes.RENEW_LEASE, types.LeaseFence(fence=fence))

    def release_lease(self, fence: int) -> types.LeaseFence:
        """Let go of the sync's lease, so that no one need wait for its end; one that was lost stays as it is."""
        return self._call(routes.RELEASE_LEASE, types.LeaseFence(fence=fence))

    def kept(self, name: str) -> types.KeptContent | None:
        """Return what the sync keeps under a name; None where nothing is kept yet."""
        try:
            return self._call(routes.KEPT, name=name)
        except RequestRefused as error:
            if error.problem.status == NOT_FOUND:
                return None
            raise

    def keep(self, name: str, keep: types.Keep) -> types.KeptVersion:
        """Keep a content in place of a version, whole or not at all; sent again, it finds that it was done. Raises
        `RequestRefused` 409 when the fence is stale, or when that version is not the one that is kept.
        """
        return self._call(routes.KEEP, keep, name=name)

    def back_up(self) -> types.Backup:
        """Make a backup now; returns once it is whole and checked."""
        return self._call(routes.BACK_UP)

    def backups(self) -> tuple[types.Backup, ...]:
        """Return the backups that are held, newest first."""
        return self._call(routes.BACKUPS).backups

    def templates(self) -> tuple[types.Template, ...]:
        """Return the templates of tasks that are set up."""
        return self._call(routes.TEMPLATES).templates

    def recurring(self) -> tuple[types.Recurrence, ...]:
        """Return the recurring tasks that are set up, and when each is due next."""
        return self._call(routes.RECURRING).recurring

    def due_messages(self) -> tuple[types.Message, ...]:
        """Return the messages that are due; the same ones again until they are settled."""
        return self._call(routes.DUE_MESSAGES).messages

    def settle_message(self, delivery: types.Delivery) -> types.Delivery:
        """Report how a try to deliver a message ended."""
        return self._call(routes.SETTLE_MESSAGE, delivery)

    def notifications(self) -> types.Notifications:
        """Return how telling users stands."""
        return self._call(routes.NOTIFICATIONS)

    def invite(self, name: str) -> types.Invitation:
        """Make a link by which an operator signs in to the page, once, within minutes."""
        return self._call(routes.INVITE, types.Invite(name=name))

    def make_token(self, asked: types.AskedToken) -> types.MadeToken:
        """Make a token for a program on another host; its text is in this answer only."""
        return self._call(routes.MAKE_TOKEN, asked)

    def tokens(self) -> tuple[types.Token, ...]:
        """Return the tokens that are taken, oldest first."""
        return self._call(routes.TOKENS).tokens

    def revoke_token(self, token_id: str) -> types.Token:
        """Take a token no more; raises `RequestRefused` 404."""
        return self._call(routes.REVOKE_TOKEN, id=token_id)

    def today(self, host: str) -> types.HostDay:
        """Return what the queue knows of a host's day; a worker that lost its own count goes on from it."""
        return self._call(routes.TODAY, host=host)

    def present(self, presence: types.Presence) -> types.Wellness:
        """Say that a worker lives, while it claims nothing."""
        return self._call(routes.PRESENT, presence)

    def hosts(self) -> types.HostList:
        """Return how each host of the queue stands, and what today took in all."""
        return self._call(routes.HOSTS)

    def rates(self) -> types.SessionRates:
        """Return how the sessions of the last day, week and month ended."""
        return self._call(routes.RATES)

    def wellness(self) -> types.Wellness:
        """Return whether queue, worker and sync are truly well."""
        return self._call(routes.WELLNESS)

    def metrics(self) -> str:
        """Return the figures as OpenMetrics text."""
        return self._send("GET", self._address(routes.METRICS)).data.decode()

    def health(self) -> types.Health:
        """Return "ok" from a process that answers; it says nothing of the queue."""
        return self._call(routes.HEALTH)

    def ready(self) -> types.Health:
        """Return "ready" once the queue was written, read back and found in its place; raises `RequestRefused`."""
        return self._call(routes.READY)

    def _call(
        self, route: Route[A], asked: object = None, *, headers: dict[Header, str] | None = None, **path: str
    ) -> A:
        query, body = (asked, None) if route.query else (None, asked)
        send = self._send_packed if route.packed else self._send
        return _answer(route, send(route.method, self._address(route, query, **path), body, headers))

    def _address(self, route: Route[A], query: object = None, **path: str) -> str:
        # A slash in a value would lead to another route.
        quoted = {name: urllib.parse.quote(value, safe="") for name, value in path.items()}
        asked = urllib.parse.urlencode(encode(query)) if query is not None else ""
        return route.path.format(**quoted) + (f"?{asked}" if asked else "")

    def _send(self, method: str, address: str, body: object = None, headers: dict[Header, str] | None = None) -> Answer:
        payload = None if body is None else dump(body)
        return _accepted(self._request(method, address, payload, headers))

    def _send_packed(
        self, method: str, address: str, body: object = None, headers: dict[Header, str] | None = None
    ) -> Answer:
        """Send a request, packed where the dashboard is known to take that and something is won by it."""
        payload = dump(body)
        response = None
        if self._takes_packed and PACKED_FROM <= len(payload) <= UNPACKED_LIMIT:
            # By zlib itself: the module gzip would cost the idle daemon memory.
            response = self._request(method, address, zlib.compress(payload, wbits=31), headers, GZIP)
        if response is None or response.status in _UNREADABLE:  # the release before, put back meanwhile
            response = self._request(method, address, payload, headers)
        self._takes_packed = GZIP in response.headers.get("accept-encoding", "")
        return _accepted(response)

    def _request(
        self, method: str, address: str, payload: bytes | None, headers: dict[Header, str] | None, coding: str = ""
    ) -> Answer:
        sent = {**self._headers, **{str(name): value for name, value in (headers or {}).items()}}
        if payload is not None:
            sent["Content-Type"] = "application/json"
        if coding:
            sent["Content-Encoding"] = coding
        try:
            return self._transport.request(method, address, payload, sent)
        except NoAnswer as error:
            raise Unreachable(f"the dashboard at {self._url} did not answer: {error}") from error


# 415 where codings are known and this one is not; 400 where packed bytes were taken for JSON.
_UNREADABLE = (400, 415)


def _accepted(response: Answer) -> Answer:
    if response.status >= BAD_REQUEST:
        raise _refusal(response)
    return response


def _answer(route: Route[A], response: Answer) -> A:
    """Read an answer, leniently: it may come from a newer dashboard. What is none at all is no answer."""
    if route.answer is None:
        raise TypeError(f"{route.name} answers with bytes")
    try:
        return read(route.answer, response.data)
    except Invalid as error:
        raise Unreachable(f"the dashboard's answer cannot be read: {error}") from error


def _refusal(response: Answer) -> Exception:
    if response.headers.get("content-type", "").startswith("application/problem+json"):
        try:
            return RequestRefused(read(types.Problem, response.data))
        except Invalid as error:
            return Unreachable(f"status {response.status} with a problem that cannot be read: {error}")
    return Unreachable(f"status {response.status} without a problem document: {response.data[:200]!r}")


def _next(link: str | None) -> str | None:
    """The address behind `</v1/…>; rel="next"`, or None."""
    if not link or 'rel="next"' not in link:
        return None
    return link.split(">")[0].lstrip("<")
