"""The dashboard's REST API as calls: what the daemon, the sync and the operator use.

Reads and idempotent writes are retried by urllib3 within bounds; what still fails is `Unreachable` (nobody answered)
or `Refused` (the dashboard said no, with its problem document).
"""

import http
import json
from collections.abc import Iterable
from typing import Any, TypeVar

import urllib3

from wire import types
from wire.secret import Secret
from wire.values import decode, encode

T = TypeVar("T")


class Unreachable(Exception):
    """The dashboard did not answer, or not as itself: try again later; nothing is known about what was sent."""


class Refused(Exception):
    """The dashboard refused: `problem` says what; 409 is a stale fence or a move that the state forbids."""

    def __init__(self, problem: types.Problem) -> None:
        super().__init__(f"{problem.status} {problem.title}: {problem.detail}")
        self.problem = problem


class Client:
    """Calls to one dashboard.

    `timeout_s` bounds each try. All writes may be sent twice: claims are fenced, batches numbered, ends idempotent,
    tasks carry an Idempotency-Key.
    """

    def __init__(self, url: str, token: Secret, *, timeout_s: float = 10, retries: int = 3) -> None:
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token.reveal()}", "Accept": "application/json"}
        retry = urllib3.Retry(
            total=retries,
            backoff_factor=0.2,
            status_forcelist=(502, 503, 504),
            allowed_methods=None,
            raise_on_status=False,
            respect_retry_after_header=False,
        )
        self._pool = urllib3.PoolManager(timeout=timeout_s, retries=retry)

    def add_task(self, task: types.NewTask, *, key: str | None = None) -> types.Task:
        """Queue a task; the same `key` (Idempotency-Key) with the same task gives the first one again."""
        return decode(types.Task, self._call("POST", "/tasks", task, {"Idempotency-Key": key} if key else None))

    def task(self, task_id: str) -> types.Task:
        """Return one task; raises `Refused` 404."""
        return decode(types.Task, self._call("GET", f"/tasks/{task_id}"))

    def tasks(self, state: types.State | None = None) -> Iterable[types.Task]:
        """Yield all tasks, newest first, page by page."""
        path: str | None = "/tasks" + (f"?state={state}" if state else "")
        while path:
            response = self._send("GET", path)
            yield from (decode(types.Task, item) for item in response.json()["tasks"])
            path = _next(response.headers.get("Link"))

    def sessions(self, task_id: str) -> tuple[types.Session, ...]:
        """Return a task's sessions, oldest first."""
        data = self._call("GET", f"/tasks/{task_id}/sessions")
        return tuple(decode(types.Session, item) for item in data["sessions"])

    def events(self, session_id: str, after: int = 0) -> tuple[types.Event, ...]:
        """Return the acknowledged journal of a session after record `after`."""
        data = self._call("GET", f"/sessions/{session_id}/events?after={after}")
        return tuple(decode(types.Event, item) for item in data["events"])

    def file(self, task_id: str, name: str) -> bytes:
        """Return a result file; raises `Refused` 404."""
        return self._send("GET", f"/tasks/{task_id}/files/{name}").data

    def reply(self, task_id: str, reply: types.Reply, *, version: int) -> types.Task:
        """Answer what waits; `version` is the task that was read (If-Match): 412 when it has changed since."""
        path = f"/tasks/{task_id}/answer"
        return decode(types.Task, self._call("POST", path, reply, {"If-Match": f'"{version}"'}))

    def cancel(self, task_id: str) -> types.Task:
        """Cancel a task that is not finished."""
        return decode(types.Task, self._call("POST", f"/tasks/{task_id}/cancel"))

    def retry(self, task_id: str) -> types.Task:
        """Queue a failed task again."""
        return decode(types.Task, self._call("POST", f"/tasks/{task_id}/retry"))

    def claim(self, request: types.ClaimRequest) -> types.Claim | None:
        """Claim the next task; None when there is none."""
        response = self._send("POST", "/claims", request)
        return None if response.status == http.HTTPStatus.NO_CONTENT else decode(types.Claim, response.json())

    def heartbeat(self, task_id: str, beat: types.Heartbeat) -> types.Beat:
        """Renew a lease; raises `Refused` 409 when the fence is stale."""
        return decode(types.Beat, self._call("POST", f"/tasks/{task_id}/heartbeat", beat))

    def deliver(self, session_id: str, batch: types.Batch) -> types.Acknowledged:
        """Deliver journal records; safe to repeat."""
        return decode(types.Acknowledged, self._call("POST", f"/sessions/{session_id}/events", batch))

    def end(self, session_id: str, end: types.SessionEnd) -> types.Task:
        """Record how a session's process ended; safe to repeat."""
        return decode(types.Task, self._call("POST", f"/sessions/{session_id}/end", end))

    def report(self, run: types.SyncRun) -> None:
        """Report a sync run."""
        self._send("POST", "/sync-runs", run)

    def sync_runs(self) -> tuple[types.SyncRun, ...]:
        """Return the latest sync runs, newest first."""
        return tuple(decode(types.SyncRun, item) for item in self._call("GET", "/sync-runs")["sync_runs"])

    def health(self) -> dict[str, Any]:
        """Return the dashboard's word on itself: {"status": "ok", "release": …}."""
        answer: dict[str, Any] = self._call("GET", "/health")
        return answer

    def _call(self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None) -> Any:
        return self._send(method, path, body, headers).json()

    def _send(
        self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None
    ) -> urllib3.BaseHTTPResponse:
        sent = {**self._headers, **(headers or {})}
        if body is not None:
            sent["Content-Type"] = "application/json"
        payload = None if body is None else json.dumps(encode(body)).encode()
        try:
            response = self._pool.request(method, f"{self._url}/v1{path}", body=payload, headers=sent)
        except urllib3.exceptions.HTTPError as error:
            message = f"the dashboard at {self._url} did not answer: {error}"
            raise Unreachable(message) from error
        if response.status >= http.HTTPStatus.BAD_REQUEST:
            raise _refusal(response)
        return response


def _refusal(response: urllib3.BaseHTTPResponse) -> Exception:
    if response.headers.get("Content-Type", "").startswith("application/problem+json"):
        return Refused(decode(types.Problem, response.json()))
    return Unreachable(f"status {response.status} without a problem document: {response.data[:200]!r}")


def _next(link: str | None) -> str | None:
    """The path behind `</v1/…>; rel="next"`, less the version, or None."""
    if not link or 'rel="next"' not in link:
        return None
    return link.split(">")[0].lstrip("<").removeprefix("/v1")
