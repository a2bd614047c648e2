"""Claude's Messages API: one request at a time, streamed, never retried by the SDK, its errors distinguished by whether
they can have cost anything. The only module that imports `anthropic`, which takes a second and 76 MB.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any

import anthropic
import httpx2

from agent.session.drain import Drain, TimeUp
from agent.session.endings import Drained
from agent.session.retries import Cut, Rejected, retry_after
from wire.secret import Secret

REQUEST_S = 900.0
"""One request's longest time; an answer of 64,000 tokens takes less."""
# Events of an answer come seconds apart at most: 120 s of silence are a dead connection.
_TIMEOUT = httpx2.Timeout(connect=10, read=120, write=60, pool=10)
# Each batch is a record with an fsync: one for every event would cost more than the answer does.
_BATCH, _BATCH_S = 200, 0.5
_RAW = frozenset(
    (
        "message_start",
        "message_delta",
        "message_stop",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
    )
)


class Api:
    """Calls to `url` with `key`; `clock` is a monotonic time in seconds."""

    def __init__(self, url: str, key: Secret, drain: Drain, clock: Callable[[], float]) -> None:
        # The SDK's own retries send a request again that may be billed already, and obey a Retry-After of days.
        self._client = anthropic.Anthropic(base_url=url, api_key=key.reveal(), max_retries=0, timeout=_TIMEOUT)
        self._drain = drain
        self._clock = clock

    def ask(self, parameters: dict[str, Any], arrived: Callable[[list[dict[str, Any]]], None]) -> dict[str, Any]:
        """Return the whole answer as plain data; `arrived` gets its raw events in batches, as they come.

        Raises `Rejected`, `Cut`, and `Drained` when a drain's grace was not enough.
        """
        ends = self._clock() + REQUEST_S
        manager = self._client.messages.stream(**parameters)
        try:
            with self._drain.bounded(ends):
                stream = manager.__enter__()
        except anthropic.APIStatusError as error:
            raise _rejected(error) from error
        except (anthropic.APIConnectionError, TimeUp) as error:
            raise self._failure(error) from error
        try:
            with stream:
                return self._read(stream, ends, arrived)
        except (anthropic.APIError, httpx2.HTTPError, ValueError, TimeUp) as error:
            raise self._failure(error) from error

    def _read(
        self, stream: anthropic.MessageStream[Any], ends: float, arrived: Callable[[list[dict[str, Any]]], None]
    ) -> dict[str, Any]:
        for batch in self._batches(stream, ends):
            arrived(batch)
        message = stream.get_final_message()
        if message.stop_reason is None:
            raise Cut("the stream ended before the answer did")
        return plain(message)

    def _batches(self, stream: anthropic.MessageStream[Any], ends: float) -> Iterator[list[dict[str, Any]]]:
        batch: list[dict[str, Any]] = []
        since = self._clock()
        while (event := self._next(stream, ends)) is not None:
            if event.type in _RAW:
                batch.append(_raw(event))
            if len(batch) >= _BATCH or (batch and self._clock() - since >= _BATCH_S):
                yield batch
                batch, since = [], self._clock()
        if batch:
            yield batch

    def _next(self, stream: anthropic.MessageStream[Any], ends: float) -> Any:
        # Only around the read: an alarm must not break off the journal's write in `arrived`.
        with self._drain.bounded(ends):
            return next(stream, None)

    def _failure(self, error: Exception) -> Exception:
        """Distinguish a drain, an API that was not reached, and an answer that did not come whole."""
        cause = error.__cause__
        # The SDK wraps what is raised inside its own calls, our alarm too.
        if self._drain.requested and TimeUp in (type(error), type(cause)):
            return Drained("drained in the middle of a request")
        if isinstance(error, anthropic.APIConnectionError) and isinstance(
            cause, httpx2.ConnectError | httpx2.ConnectTimeout
        ):
            return Rejected(0, f"the API at {self._client.base_url} was not reached: {cause}")
        return Cut(f"the API's answer did not come whole: {error or type(error).__name__}")


def plain(message: anthropic.types.Message) -> dict[str, Any]:
    """Return an answer as data that the journal keeps and the API takes back."""
    return message.model_dump(mode="json", exclude_none=True)


def _raw(event: Any) -> dict[str, Any]:
    """An event as it came: the SDK adds the whole message and whole blocks to those that end them."""
    added = {"message"} if event.type == "message_stop" else {"content_block"} if event.type.endswith("_stop") else None
    data: dict[str, Any] = event.model_dump(mode="json", exclude_none=True, exclude=added)
    return data


def _rejected(error: anthropic.APIStatusError) -> Rejected:
    after = retry_after(error.response.headers.get("retry-after"), time.time())
    return Rejected(error.status_code, error.api_message or str(error), after)
