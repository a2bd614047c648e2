"""The API as one table: each route with what it asks for, what it answers, its errors and who may call it.

From it come the dashboard's routes, the client's calls and the OpenAPI document. A path parameter is `{name}`.
"""

import enum
from dataclasses import dataclass
from typing import Generic, TypeVar

from wire import types

A_co = TypeVar("A_co", covariant=True)
GZIP = "gzip"
UNPACKED_LIMIT = 4 * 1024 * 1024
"""Bytes that a packed request may unpack to; a larger one is sent as it is."""


class Right(enum.StrEnum):
    """What a caller must be allowed to call a route; PUBLIC needs nothing. An operator has them all."""

    PUBLIC = "public"
    OPERATOR = "operator"
    AGENT = "agent"
    SYNC = "sync"
    TELL = "tell"
    METRICS = "metrics"


class Header(enum.StrEnum):
    """Headers that belong to the contract."""

    IDEMPOTENCY_KEY = "Idempotency-Key"
    IF_MATCH = "If-Match"
    CLAIM = "Jada-Claim"
    """What a claim asks beside a task, of `ClaimWord`, separated by spaces: a header, because a dashboard of an earlier
    release passes over one that it does not know."""
    OPERATOR = "Jada-Operator"
    """Who an operator's request is from, percent-encoded: all come as one user of the host."""


class ClaimWord(enum.StrEnum):
    """A word of the header `Jada-Claim`."""

    AGAIN = "again"
    """The key was sent before and what became of it is not known: what is held under it is given, else 409."""
    DAY = "day"
    """The worker has no count of its day: the answer carries what the queue knows of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route(Generic[A_co]):
    """One call. `name` is the client's method and the dashboard's handler; `answer` None: bytes of a file.

    `errors` are the statuses that it can end in, besides those of every route (see `every`); `may_be_empty`: 204
    instead of an answer; `media` is the type of a file's bytes; `packed`: its request may come with
    `Content-Encoding: gzip`, as its answers say by `Accept-Encoding` (RFC 7694).
    """

    name: str
    method: str
    path: str
    right: Right
    answer: type[A_co] | None
    request: type | None = None
    query: type | None = None
    errors: tuple[int, ...] = ()
    status: int = 200
    headers: tuple[Header, ...] = ()
    may_be_empty: bool = False
    media: str = "application/octet-stream"
    packed: bool = False

    @property
    def every(self) -> tuple[int, ...]:
        """All its error statuses: also those of the caller, of any body, of the store, and of a foreign host name."""
        of_token = () if self.right is Right.PUBLIC else (401, 403)
        of_body = (400, 413, *((415,) if self.packed else ())) if self.request else ()
        of_value = (422,) if self.request or self.query else ()
        of_write = (507,) if self.method in ("POST", "PATCH") or self.name == "ready" else ()
        of_store = () if self.name == "health" else (503, *of_write)
        return tuple(sorted({*self.errors, *of_token, *of_body, *of_value, *of_store, 421}))


ADD_TASK = Route(
    # The agent may add subtasks only: that depends on what is asked, so the handler looks.
    name="add_task", method="POST", path="/v1/tasks", right=Right.AGENT, request=types.NewTask, answer=types.Task,
    status=201, headers=(Header.IDEMPOTENCY_KEY,),
)  # fmt: skip
TASKS = Route(
    name="tasks", method="GET", path="/v1/tasks", right=Right.OPERATOR, query=types.TasksQuery, answer=types.TaskList
)
TASK = Route(name="task", method="GET", path="/v1/tasks/{id}", right=Right.OPERATOR, answer=types.Task, errors=(404,))
SESSIONS = Route(
    name="sessions", method="GET", path="/v1/tasks/{id}/sessions", right=Right.OPERATOR, answer=types.SessionList,
    errors=(404,),
)  # fmt: skip
RESULT_FILE: Route[bytes] = Route(
    name="result_file", method="GET", path="/v1/tasks/{id}/files/{name}", right=Right.OPERATOR, answer=None,
    errors=(404,),
)  # fmt: skip
CONTEXT_FILE: Route[bytes] = Route(
    name="context_file", method="GET", path="/v1/tasks/{id}/context/{name}", right=Right.OPERATOR, answer=None,
    errors=(404,),
)  # fmt: skip
WORKSPACE: Route[bytes] = Route(
    name="workspace", method="GET", path="/v1/tasks/{id}/workspace", right=Right.AGENT, answer=None, errors=(404,),
)  # fmt: skip
REPLY = Route(
    name="reply", method="POST", path="/v1/tasks/{id}/answer", right=Right.OPERATOR, request=types.Reply,
    answer=types.Task, errors=(404, 409, 412, 428), headers=(Header.IF_MATCH,),
)  # fmt: skip
CANCEL = Route(
    name="cancel", method="POST", path="/v1/tasks/{id}/cancel", right=Right.OPERATOR, answer=types.Task,
    errors=(404, 409),
)  # fmt: skip
RETRY = Route(
    name="retry", method="POST", path="/v1/tasks/{id}/retry", right=Right.OPERATOR, query=types.RetryQuery,
    answer=types.Task, errors=(404, 409),
)  # fmt: skip
EDIT = Route(
    name="edit", method="PATCH", path="/v1/tasks/{id}", right=Right.OPERATOR, request=types.Edit, answer=types.Task,
    errors=(404, 409, 412), headers=(Header.IF_MATCH,),
)  # fmt: skip
CLAIM = Route(
    name="claim", method="POST", path="/v1/claims", right=Right.AGENT, request=types.ClaimRequest, answer=types.Claim,
    errors=(409,), may_be_empty=True, headers=(Header.IDEMPOTENCY_KEY, Header.CLAIM),
)  # fmt: skip
HEARTBEAT = Route(
    name="heartbeat", method="POST", path="/v1/tasks/{id}/heartbeat", right=Right.AGENT, request=types.Heartbeat,
    answer=types.HeartbeatReply, errors=(404, 409),
)  # fmt: skip
DELIVER = Route(
    name="deliver", method="POST", path="/v1/sessions/{id}/events", right=Right.AGENT, request=types.Batch,
    answer=types.Acknowledged, errors=(404, 409), packed=True,
)  # fmt: skip
EVENTS = Route(
    name="events", method="GET", path="/v1/sessions/{id}/events", right=Right.AGENT, query=types.EventsQuery,
    answer=types.EventList, errors=(404,),
)  # fmt: skip
END = Route(
    name="end", method="POST", path="/v1/sessions/{id}/end", right=Right.AGENT, request=types.SessionEnd,
    answer=types.Task, errors=(404, 409),
)  # fmt: skip
REPORT = Route(
    name="report", method="POST", path="/v1/sync-runs", right=Right.SYNC, request=types.SyncRun, answer=types.SyncRun,
    status=201,
)  # fmt: skip
SYNC_RUNS = Route(name="sync_runs", method="GET", path="/v1/sync-runs", right=Right.OPERATOR, answer=types.SyncRunList)
TAKE_LEASE = Route(
    name="take_lease", method="POST", path="/v1/sync/lease", right=Right.SYNC, request=types.TakeLease,
    answer=types.RoleLease,
)  # fmt: skip
RENEW_LEASE = Route(
    name="renew_lease", method="POST", path="/v1/sync/lease/renew", right=Right.SYNC, request=types.LeaseFence,
    answer=types.RoleLease, errors=(409,),
)  # fmt: skip
RELEASE_LEASE = Route(
    name="release_lease", method="POST", path="/v1/sync/lease/release", right=Right.SYNC, request=types.LeaseFence,
    answer=types.LeaseFence,
)  # fmt: skip
KEPT = Route(
    name="kept", method="GET", path="/v1/sync/kept/{name}", right=Right.SYNC, answer=types.KeptContent, errors=(404,)
)
KEEP = Route(
    name="keep", method="POST", path="/v1/sync/kept/{name}", right=Right.SYNC, request=types.Keep,
    answer=types.KeptVersion, errors=(404, 409),
)  # fmt: skip
BACK_UP = Route(
    name="back_up", method="POST", path="/v1/backups", right=Right.OPERATOR, answer=types.Backup, status=201
)
BACKUPS = Route(name="backups", method="GET", path="/v1/backups", right=Right.OPERATOR, answer=types.BackupList)
TEMPLATES = Route(name="templates", method="GET", path="/v1/templates", right=Right.OPERATOR, answer=types.TemplateList)
RECURRING = Route(
    name="recurring", method="GET", path="/v1/recurring", right=Right.OPERATOR, answer=types.RecurrenceList
)
DUE_MESSAGES = Route(
    name="due_messages", method="POST", path="/v1/messages/due", right=Right.TELL, answer=types.MessageList
)
SETTLE_MESSAGE = Route(
    name="settle_message", method="POST", path="/v1/messages/settled", right=Right.TELL, request=types.Delivery,
    answer=types.Delivery,
)  # fmt: skip
NOTIFICATIONS = Route(
    name="notifications", method="GET", path="/v1/messages", right=Right.OPERATOR, answer=types.Notifications
)
INVITE = Route(
    name="invite", method="POST", path="/v1/sign-ins", right=Right.OPERATOR, request=types.Invite,
    answer=types.Invitation, status=201,
)  # fmt: skip
MAKE_TOKEN = Route(
    name="make_token", method="POST", path="/v1/tokens", right=Right.OPERATOR, request=types.AskedToken,
    answer=types.MadeToken, status=201,
)  # fmt: skip
TOKENS = Route(name="tokens", method="GET", path="/v1/tokens", right=Right.OPERATOR, answer=types.TokenList)
REVOKE_TOKEN = Route(
    name="revoke_token", method="POST", path="/v1/tokens/{id}/revoke", right=Right.OPERATOR, answer=types.Token,
    errors=(404,),
)  # fmt: skip
PRESENT = Route(
    name="present", method="POST", path="/v1/workers", right=Right.AGENT, request=types.Presence, answer=types.Wellness
)
TODAY = Route(name="today", method="GET", path="/v1/workers/{host}/today", right=Right.AGENT, answer=types.HostDay)
HOSTS = Route(name="hosts", method="GET", path="/v1/hosts", right=Right.OPERATOR, answer=types.HostList)
RATES = Route(name="rates", method="GET", path="/v1/rates", right=Right.OPERATOR, answer=types.SessionRates)
WELLNESS = Route(name="wellness", method="GET", path="/v1/wellness", right=Right.TELL, answer=types.Wellness)
METRICS: Route[bytes] = Route(
    name="metrics", method="GET", path="/metrics", right=Right.METRICS, answer=None,
    media="application/openmetrics-text",
)  # fmt: skip
HEALTH = Route(name="health", method="GET", path="/healthz", right=Right.PUBLIC, answer=types.Health)
READY = Route(name="ready", method="GET", path="/readyz", right=Right.PUBLIC, answer=types.Health)

ROUTES: tuple[Route[object], ...] = (
    ADD_TASK, TASKS, TASK, SESSIONS, RESULT_FILE, CONTEXT_FILE, WORKSPACE, REPLY, CANCEL, RETRY, EDIT, CLAIM, HEARTBEAT,
    DELIVER, EVENTS, END, REPORT, SYNC_RUNS, TAKE_LEASE, RENEW_LEASE, RELEASE_LEASE, KEPT, KEEP, BACK_UP, BACKUPS,
    TEMPLATES, RECURRING, DUE_MESSAGES, SETTLE_MESSAGE, NOTIFICATIONS, INVITE, MAKE_TOKEN, TOKENS, REVOKE_TOKEN,
    PRESENT, TODAY, HOSTS, RATES, WELLNESS, METRICS, HEALTH, READY,
)  # fmt: skip
