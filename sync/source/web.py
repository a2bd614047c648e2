"""Calls to a booking system, bounded in size, in waiting and in number; never on to another host."""

import email.utils
import http
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import msgspec
import urllib3

from sync.failure import SyncFailed, bookings_failure, transport_failure
from sync.source.bookings import ASK, odd

# With 1, 2 and 4 s between them: what takes longer is for the next run.
_TRIES = 4
_AGAIN = (429, 502, 503, 504)
"""Answers after which the same call may succeed a little later."""
_LONGEST_WAIT_S = 60
"""What is waited at most because the system asks for it: the next run comes in half an hour anyway."""
BODY_BYTES = 8 * 2**20
"""Of one answer: parsed, it takes some eight times as much, and the unit has 300 MB."""
_READ_S = 900
"""Of one reading: the unit ends after 20 minutes, and what is read is still to be written."""
_CHUNK = 64 * 1024


class Answer(msgspec.Struct, frozen=True):
    """What a call was answered with, whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Web:
    """The way to one booking system. `clock` counts seconds, `pause` waits; `pace_s` is between two calls at least."""

    clock: Callable[[], float]
    pause: Callable[[float], None]
    pace_s: float = 0
    timeout_s: float = 30
    backoff_s: float = 1
    pool: urllib3.PoolManager = field(default_factory=lambda: urllib3.PoolManager(retries=False))
    _began: float | None = None
    _last: float | None = None

    def call(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None = None) -> Answer:
        """Return the answer, also an error's; outages are tried again, and waited for briefly. Raises `SyncFailed`."""
        for turn in range(_TRIES):
            last = turn == _TRIES - 1
            self._wait_turn()
            try:
                answer = self._once(method, url, headers, body)
            except urllib3.exceptions.HTTPError as error:
                if last:
                    raise transport_failure("bookings", error) from error
                self.pause(self.backoff_s * 2**turn)
                continue
            if answer.status not in _AGAIN or last:
                return answer
            self.pause(self._asked_wait(answer, url) or self.backoff_s * 2**turn)
        raise AssertionError("the last try returns or raises")

    def _once(self, method: str, url: str, sent: Mapping[str, str], body: bytes | None) -> Answer:
        response = self.pool.request(
            method,
            url,
            headers=dict(sent),
            body=body,
            timeout=self.timeout_s,
            # Followed, the header with the secret would go to wherever the answer points.
            redirect=False,
            preload_content=False,
        )
        try:
            content = self._body(response)
        except BaseException:
            # What is left of the body would be read before the connection could be used again.
            response.close()
            raise
        response.release_conn()
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status, headers, content)

    def _body(self, response: urllib3.BaseHTTPResponse) -> bytes:
        content = bytearray()
        # Counted unpacked, piece by piece: a small answer may unpack to any size.
        for part in response.stream(_CHUNK, decode_content=True):
            content += part
            if len(content) > BODY_BYTES:
                cure = "ask for smaller pages: sync.source.paging.size"
                raise odd(f"an answer is larger than {BODY_BYTES // 2**20} MB", cure)
            self._require_time()
        return bytes(content)

    def _wait_turn(self) -> None:
        now = self.clock()
        if self._began is None:
            self._began = now
        self._require_time()
        if self._last is not None and (early := self._last + self.pace_s - now) > 0:
            self.pause(early)
        self._last = self.clock()

    def _require_time(self) -> None:
        if self._began is not None and self.clock() - self._began > _READ_S:
            cause = f"the booking system did not give all its bookings within {_READ_S // 60} minutes"
            cure = f"narrow the window in [sync], make the pages larger, or lower sync.source.pace_s; else {ASK}"
            raise SyncFailed("bookings_slow", cause, cure)

    def _asked_wait(self, answer: Answer, url: str) -> float:
        """Return the seconds that Retry-After asks for. Raises `SyncFailed` for more than a run waits."""
        wait = _retry_after(answer.headers.get("retry-after", ""))
        if wait > _LONGEST_WAIT_S:
            failed = bookings_failure(answer.status, url, "")
            cause = f"{failed.cause}, and it asks to wait for {wait:.0f} s, which no run does"
            raise SyncFailed(failed.kind, cause, failed.cure)
        return wait


def require_ok(answer: Answer, url: str) -> bytes:
    """Return the body of a good answer. Raises `SyncFailed` that names any other."""
    if answer.status != http.HTTPStatus.OK:
        raise bookings_failure(answer.status, url, answer.body.decode(errors="replace"), answer.headers.get("location"))
    return answer.body


def _retry_after(text: str) -> float:
    if text.isascii() and text.isdecimal():
        return float(text)
    try:
        then = email.utils.parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return 0
    now = datetime.now(UTC)
    return max(0.0, (then.replace(tzinfo=then.tzinfo or UTC) - now).total_seconds())
