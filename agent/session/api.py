"""Claude's Messages API: one request at a time, streamed, never retried by the SDK, each error told apart by whether
it cost anything and whether another try can help.
"""

import email.utils
import time
from collections.abc import Callable, Iterator
from typing import Any

import anthropic
import httpx2

from agent.journal import rfc3339
from agent.session.drain import Drain, TimeUp
from agent.session.endings import Drained, Fault, Unavailable
from wire.secret import Secret

REQUEST_S = 900.0
"""One request's longest time; an answer of 64,000 tokens takes less."""
_TIMEOUT = httpx2.Timeout(connect=10, read=120, write=60, pool=10)
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
_CONFLICT_OR_TIMEOUT = (408, 409, 429)


class Rejected(Exception):
    """A definite no before any answer: nothing is billed. `status` 0: the API was not reached."""

    def __init__(self, status: int, reason: str, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.retry_after = retry_after


class Cut(Exception):
    """No answer, or half of one: whether it is billed is not known."""


class Api:
    """Calls to `url` with `key`; `clock` is a monotonic time in seconds."""

    def __init__(self, url: str, key: Secret, drain: Drain, clock: Callable[[], float]) -> None:
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
            raise self._broken(error) from error
        try:
            with stream:
                return self._read(stream, ends, arrived)
        except (anthropic.APIError, httpx2.HTTPError, ValueError, TimeUp) as error:
            raise self._broken(error) from error

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
        with self._drain.bounded(ends):
            return next(stream, None)

    def _broken(self, error: Exception) -> Exception:
        """Tell apart a drain, an API that was not reached, and an answer that did not come whole."""
        if isinstance(error, TimeUp) and self._drain.requested:
            return Drained("drained in the middle of a request")
        cause = error.__cause__
        if isinstance(error, anthropic.APIConnectionError) and isinstance(
            cause, httpx2.ConnectError | httpx2.ConnectTimeout
        ):
            return Rejected(0, f"the API at {self._client.base_url} was not reached: {cause}")
        return Cut(f"the API's answer did not come whole: {error or type(error).__name__}")


class Retries:
    """How often and how long to try again. `random` gives 0 to 1, `now` the seconds since the epoch."""

    REJECTED, CUT = 6, 3
    """Tries in a row that may fail: a cut one costs a turn and may cost money, a rejected one nothing."""
    LONGEST_S = 60.0
    LATER_S, KEY_LATER_S = 120.0, 900.0

    def __init__(self, random: Callable[[], float], now: Callable[[], float]) -> None:
        self._random = random
        self._now = now
        self._rejected = 0
        self._cut = 0

    def succeeded(self) -> None:
        """Count anew."""
        self._rejected = self._cut = 0

    def after(self, error: Rejected | Cut) -> float:
        """Return the seconds to wait before the next try; raises `Unavailable` or `Fault` when there is to be none."""
        if isinstance(error, Cut):
            self._cut += 1
            return self._backoff(error, self._cut, self.CUT)
        if error.status in _KEY:
            raise self._later(f"{error.reason}. {_KEY[error.status]}", self.KEY_LATER_S)
        if 0 < error.status < 500 and error.status not in _CONFLICT_OR_TIMEOUT:
            raise Fault(f"the API refused the request: {error.status} {error.reason}")
        if (error.retry_after or 0) > self.LONGEST_S:
            raise self._later(f"the API asks to come back later: {error.status} {error.reason}", error.retry_after or 0)
        self._rejected += 1
        return error.retry_after or self._backoff(error, self._rejected, self.REJECTED)

    def _backoff(self, error: Exception, tries: int, most: int) -> float:
        if tries >= most:
            raise self._later(f"the API failed {tries} times in a row, the last time so: {error}", self.LATER_S)
        return float(min(2 ** (tries - 1), 30) * (0.5 + self._random() / 2))

    def _later(self, reason: str, seconds: float) -> Unavailable:
        return Unavailable(reason, not_before=rfc3339(self._now() + seconds))


_KEY = {
    401: "The API does not take the key: put a valid one in place with `fab secrets`; the task waits for it.",
    402: "The API wants payment: settle the account's billing; the task waits for it.",
    403: "The key may not do this: give one that may with `fab secrets`; the task waits for it.",
}


def plain(message: anthropic.types.Message) -> dict[str, Any]:
    """Return an answer as data that the journal holds and the API takes back."""
    return message.model_dump(mode="json", exclude_none=True)


def _raw(event: Any) -> dict[str, Any]:
    """An event as it came: the SDK adds the whole message and whole blocks to those that end them."""
    added = {"message"} if event.type == "message_stop" else {"content_block"} if event.type.endswith("_stop") else None
    data: dict[str, Any] = event.model_dump(mode="json", exclude_none=True, exclude=added)
    return data


def _rejected(error: anthropic.APIStatusError) -> Rejected:
    after = retry_after(error.response.headers.get("retry-after"), time.time())
    return Rejected(error.status_code, error.api_message or str(error), after)


def retry_after(header: str | None, now: float) -> float | None:
    """Read a Retry-After header, seconds or a date (RFC 9110, 10.2.3); None for one that is absent or neither."""
    if not header:
        return None
    try:
        return max(float(header), 0.0)
    except ValueError:
        pass
    try:
        return max(email.utils.parsedate_to_datetime(header).timestamp() - now, 0.0)
    except ValueError:
        return None
