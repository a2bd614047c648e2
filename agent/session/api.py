"""Claude's Messages API: one request at a time, streamed, never retried by the SDK, its errors distinguished by whether
they can have cost anything. The only module that imports `anthropic`, which takes a second and 76 MB.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anthropic
import httpx2
from anthropic import BaseModel, Stream
from anthropic.types import Message, RawMessageStreamEvent

from agent.session.body import Body
from agent.session.drain import Drain, TimeUp
from agent.session.received import Received, printable_json
from agent.session.retries import Rejected, retry_after
from wire.secret import Secret

REQUEST_S = 900.0
"""One request's longest time; an answer of 64,000 tokens takes less."""
# Events of an answer come seconds apart at most: 120 s of silence are a dead connection.
_TIMEOUT = httpx2.Timeout(connect=10, read=120, write=60, pool=10)
# Each batch is a record with an fsync: one for every event would cost more than the answer does.
_BATCH, _BATCH_S = 200, 0.5


class Api:
    """Calls to `url` with `key`; `clock` is a monotonic time in seconds; `kept` gives the file of what is shown by its
    SHA-256.
    """

    def __init__(
        self,
        url: str,
        key: Secret,
        drain: Drain,
        clock: Callable[[], float],
        kept: Callable[[str], Path | None] = lambda _name: None,
    ) -> None:
        # The SDK's own retries send a request again that may be billed already, and obey a Retry-After of days.
        self._client = anthropic.Anthropic(base_url=url, api_key=key.reveal(), max_retries=0, timeout=_TIMEOUT)
        self._drain = drain
        self._clock = clock
        self._kept = kept

    def ask(self, parameters: dict[str, Any], arrived: Callable[[list[dict[str, Any]]], None]) -> dict[str, Any]:
        """Return the whole answer as plain data; `arrived` gets its raw events in batches, as they come, but not those
        at the end of a whole answer.

        Raises `Rejected`, and `Cut` with what the answer can have cost; a drain whose grace was not enough cuts too.
        """
        ends = self._clock() + REQUEST_S
        received = Received()
        try:
            with self._drain.bounded(ends):
                stream = self._begun(parameters)
        except anthropic.APIStatusError as error:
            raise _rejected(error) from error
        except (anthropic.APIConnectionError, TimeUp) as error:
            raise self._failure(error, received) from error
        try:
            with stream:
                for batch in self._batches(stream, ends, received):
                    arrived(batch)
        except (anthropic.APIError, httpx2.HTTPError, ValueError, TimeUp) as error:
            # What breaks behind the answer's end takes nothing from it, and asking again would be paid again.
            if not received.complete:
                raise self._failure(error, received) from error
        return received.whole()

    def _begun(self, parameters: dict[str, Any]) -> Stream[RawMessageStreamEvent]:
        """Send a request. Not by `messages.create`, which holds its parameters, their JSON and its bytes at once: four
        times what a request shows.
        """
        body = Body({**parameters, "stream": True}, self._kept)
        return self._client.post(
            "/v1/messages",
            content=body,
            # Without it httpx would send the body in chunks, and who receives it would not know its size beforehand.
            options={"headers": {"Content-Length": str(body.size)}},
            cast_to=Message,
            stream=True,
            stream_cls=Stream[RawMessageStreamEvent],
        )

    def _batches(self, stream: Any, ends: float, received: Received) -> Iterator[list[dict[str, Any]]]:
        batch: list[dict[str, Any]] = []
        since = self._clock()
        while (event := self._next(stream, ends)) is not None:
            received.take(event)
            batch.append(printable_json(event))
            if len(batch) >= _BATCH or self._clock() - since >= _BATCH_S:
                yield batch
                batch, since = [], self._clock()
        # The record of the whole answer follows at once: what led to it need not be kept.
        if batch and not received.complete:
            yield batch

    def _next(self, stream: Any, ends: float) -> dict[str, Any] | None:
        # Only around the read: an alarm must not break off the journal's write in `arrived`.
        with self._drain.bounded(ends):
            event = next(stream, None)
        # The SDK checks nothing of what streams in: an event that is no object comes as it is.
        return event.model_dump(exclude_none=True) if isinstance(event, BaseModel) else None

    def _failure(self, error: Exception, received: Received) -> Exception:
        """Distinguish an API that was not reached from an answer that did not come whole."""
        cause = error.__cause__
        if isinstance(error, anthropic.APIConnectionError) and isinstance(
            cause, httpx2.ConnectError | httpx2.ConnectTimeout
        ):
            return Rejected(0, f"the API at {self._client.base_url} was not reached: {cause}")
        return received.cut(f"the API's answer did not come whole: {error or type(error).__name__}")


def _rejected(error: anthropic.APIStatusError) -> Rejected:
    after = retry_after(error.response.headers.get("retry-after"), time.time())
    return Rejected(error.status_code, error.api_message or str(error), after)
