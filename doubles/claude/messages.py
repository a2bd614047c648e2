"""The Messages API as an application: who may ask, what is refused, what is answered, and the bad days ordered."""

import datetime as dt
import itertools
import json
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anthropic
from anthropic.types import Message, MessageTokensCount
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from doubles.claude import answer, betas, choice, contract, conversation, models, odd, stream, thinking, usage
from doubles.claude.errors import ApiError, envelope, not_built
from doubles.claude.faults import Fault
from doubles.claude.ledger import Entry, Ledger
from doubles.claude.script import Played, Script
from doubles.claude.scripts import cast
from doubles.claude.threads import Threads
from doubles.faults import Faults, asked

VERSION = str(anthropic.Anthropic(api_key="none").default_headers["anthropic-version"])
VERSIONS = (VERSION, "2023-06-01")
"""The versions of the API that clients in use speak: the installed one's own, and the one that most others send."""
MOST_BYTES = 32 * 1024 * 1024


def create(
    folder: Path,
    *,
    clock: Callable[[], float] = time.time,
    rng: random.Random | None = None,
    script: Script | None = None,
) -> Starlette:
    """Make the application; `folder` keeps its bill over restarts, `clock` gives Unix seconds, `script` is a user's."""
    return _Double(folder, clock, rng or random.SystemRandom(), script or Script()).application()


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request says besides its body: the betas it wants, and whether a beta client sent it."""

    betas: frozenset[str]
    beta: bool


class _Double:
    """One API: its cache, its faults to come and its bill."""

    def __init__(self, folder: Path, clock: Callable[[], float], rng: random.Random, script: Script) -> None:
        self._clock, self._rng, self._script = clock, rng, script
        self._threads = Threads()
        self._cache, self._faults, self._ledger = usage.Cache(clock), Faults(Fault), Ledger(folder)

    def application(self) -> Starlette:
        routes = [
            Route("/v1/messages", self.messages, methods=["POST"]),
            Route("/v1/messages/count_tokens", self.count, methods=["POST"]),
            Route("/v1/models", self.models),
            Route("/v1/models/{name}", self.model),
            Route("/_local/requests", self.requests),
            *self._faults.routes(),
        ]
        handlers: dict[Any, Any] = {ApiError: self.refused, HTTPException: self.unknown, Exception: self.broken}
        handlers[ClientDisconnect] = _client_is_gone
        return Starlette(routes=routes, exception_handlers=handlers)

    async def messages(self, request: Request) -> Response:
        about, body = _authenticated(request), await _body(request)
        turn = _turn(body)
        fault = await self._faults.meet(await asked(request), lambda fault: fault.turn in (None, turn)) or Fault()
        if fault.status:
            return self._refused_by(request, fault)
        # After the fault: an API that is overloaded answers so whatever is asked.
        contract.check_create(body, beta=about.beta)
        betas.require_plain(body, about.betas)
        request_body, body = body, self._threads.whole(body)
        played = self._played(body, about)
        if played.fault and (written := await self._faults.meet_written(played.place, played.fault)):
            fault = written
            if fault.status:
                return self._refused_by(request, fault)
        made = self._answer(body, about, played)
        whole = made.model_dump(mode="json")
        self._threads.keep(request_body, body, whole)
        self._record(request, body, 200, made, cut=fault.after_events is not None)
        if body.get("context_management") is not None:
            whole["context_management"] = {"applied_edits": []}  # all that is taken here keeps all
        return self._sent(request, body, whole, fault)

    def _refused_by(self, request: Request, fault: Fault) -> Response:
        headers = {} if fault.retry_after is None else {"retry-after": str(fault.retry_after)}
        return self._error(request, fault.status or 500, fault.message, headers)

    def _sent(self, request: Request, body: dict[str, Any], whole: dict[str, Any], fault: Fault) -> Response:
        """Send an answer as it was asked for, or as the bad day has it."""
        headers = {**self._headers(request), "content-type": "text/event-stream; charset=utf-8"}
        if fault.odd and fault.odd in odd.NOT_AN_ANSWER:
            media, content = odd.NOT_AN_ANSWER[fault.odd]
            return Response(content, headers={**headers, "content-type": media})
        if fault.odd:
            whole = odd.changed(fault.odd, whole)
        lines = odd.lines(whole) if body.get("stream") else iter(())
        if fault.after_events is not None:
            return stream.BrokenOff(itertools.islice(lines, fault.after_events), headers=headers)
        if body.get("stream"):
            return StreamingResponse(lines, headers=headers)
        return Response(odd.text(whole), headers={**self._headers(request), "content-type": "application/json"})

    async def count(self, request: Request) -> Response:
        about, body = _authenticated(request), await _body(request)
        contract.check_count(body, beta=about.beta)
        betas.require_plain(body, about.betas)
        models.known(body["model"])
        cuts = usage.prefixes(body, conversation.check(body, about.betas))
        counted = MessageTokensCount(input_tokens=cuts[-1].tokens)
        return JSONResponse(counted.model_dump(mode="json"), headers=self._headers(request))

    async def models(self, request: Request) -> Response:
        _authenticated(request)
        return JSONResponse(models.page(request.query_params), headers=self._headers(request))

    async def model(self, request: Request) -> Response:
        _authenticated(request)
        return JSONResponse(models.info(request.path_params["name"]), headers=self._headers(request))

    async def requests(self, _request: Request) -> Response:
        return JSONResponse({"requests": self._ledger.requests()})

    def _played(self, body: dict[str, Any], about: Asked) -> Played:
        """Return what the scripts answer, a user's before the built-in ones."""
        turns = conversation.check(body, about.betas)
        models.known(body["model"])
        talk = conversation.read(body, turns)
        found = self._script.find(talk)
        if found is None:
            return Played(cast.play(talk))
        place, written = found
        return Played(written.reply(), written.stop_reason, written.fault, place)

    def _answer(self, body: dict[str, Any], about: Asked, played: Played) -> Message:
        cuts = usage.prefixes(body, conversation.merged(body["messages"]))
        most = models.window(about.betas)
        if cuts[-1].tokens > most:
            raise ApiError(400, f"prompt is too long: {cuts[-1].tokens} tokens > {most} maximum")
        reply = thinking.thought(choice.shaped(played.reply, body), body)
        return answer.message(reply, body, cuts, self._cache, self._rng, played.stop_reason)

    def _id(self, request: Request) -> str:
        """The request's id, the same in its header, its error and the bill."""
        if not hasattr(request.state, "id"):
            request.state.id = answer.identify("req", self._rng)
        return str(request.state.id)

    def _headers(self, request: Request) -> dict[str, str]:
        return {"request-id": self._id(request)}

    def _record(
        self, request: Request, body: dict[str, Any], status: int, made: Message | None, *, cut: bool = False
    ) -> None:
        at = dt.datetime.fromtimestamp(self._clock(), dt.UTC).isoformat(timespec="milliseconds")
        spent = made.usage.model_dump(mode="json", exclude_none=True) if made else None
        self._ledger.record(
            Entry(
                id=self._id(request),
                at=at,
                model=body.get("model"),
                status=status,
                stream=bool(body.get("stream")),
                cut=cut,
                stop_reason=made.stop_reason if made else None,
                usage=spent,
            )
        )

    async def refused(self, request: Request, error: Exception) -> Response:
        status = error.status if isinstance(error, ApiError) else 500
        return self._error(request, status, str(error), details=getattr(error, "details", None))

    async def unknown(self, request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        return self._error(request, status, f"{request.method} {request.url.path}: no such call in this API")

    async def broken(self, request: Request, error: Exception) -> Response:
        return self._error(request, 500, f"the double itself failed: {error!r}")

    def _error(
        self,
        request: Request,
        status: int,
        message: str,
        headers: dict[str, str] | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> Response:
        if request.url.path == "/v1/messages":
            self._record(request, {}, status, None)
        body = envelope(status, message, self._id(request), details)
        return JSONResponse(body, status, headers={**self._headers(request), **(headers or {})})


async def _client_is_gone(_request: Request, _error: Exception) -> Response:
    """End the call of a client that left before its request was whole: no answer reaches it."""
    return Response(status_code=400)


def _turn(body: dict[str, Any]) -> int:
    """Which answer of its conversation a request asks for, from 1; the request is not checked yet."""
    messages = body.get("messages")
    given: list[Any] = messages if isinstance(messages, list) else []
    return 1 + len([one for one in given if isinstance(one, dict) and one.get("role") == "assistant"])


def _authenticated(request: Request) -> Asked:
    """Check who asks, and in which version; raises `ApiError`."""
    bearer = request.headers.get("authorization", "").removeprefix("Bearer ").strip()
    if not bearer and not request.headers.get("x-api-key"):
        raise ApiError(401, "a key is required: send it as `Authorization: Bearer KEY` or as `x-api-key: KEY`")
    version = request.headers.get("anthropic-version")
    # Without the header the API does not know which shape of answers its caller reads.
    if version is None:
        raise ApiError(400, "anthropic-version: header is required")
    if version not in VERSIONS:
        raise not_built(f"anthropic-version {version} (only {' and '.join(VERSIONS)})")
    wanted = betas.asked(request.headers)
    return Asked(wanted, bool(wanted) or request.query_params.get("beta") == "true")


async def _body(request: Request) -> dict[str, Any]:
    """Read an authenticated request's JSON; raises `ApiError`."""
    raw = await request.body()
    if len(raw) > MOST_BYTES:
        raise ApiError(413, f"Request exceeds the maximum size of {MOST_BYTES} bytes")
    try:
        body = json.loads(raw)
        # Python takes half of a surrogate pair, and the API does not.
        json.dumps(body, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise ApiError(400, f"The request body is not valid JSON: {error}") from error
    if not isinstance(body, dict):
        raise ApiError(400, "The request body must be a JSON object")
    return body
