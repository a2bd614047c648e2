"""Bad days of the Messages API: an error, an answer that breaks off, or one that is whole and not as it should be."""

from typing import Annotated, Literal

from msgspec import Meta

from doubles import faults

Odd = Literal["blank", "surrogate", "twice", "deep", "empty", "ping", "html"]
"""A 200 that is not as it should be: a text of white space only; a lone surrogate in a text; two calls of one id; a
call whose input is nested 10,000 deep; a stream without any event, with pings only; a page of HTML.
"""


class Fault(faults.Fault, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A request gets an error `status`, with a `message` of its own and a Retry-After of `retry_after` where given (a
    text goes out as it is: inf, nan, a date); or its answer breaks off after `after_events` events of its stream (0:
    before the first); or it gets an `odd` one.

    With `turn` it hits only requests for that answer of a conversation, counted from 1.
    """

    status: Literal[400, 401, 402, 403, 404, 413, 429, 500, 504, 529] | None = None
    message: Annotated[str, Meta(max_length=2000)] = "a fault ordered by /_local/faults"
    retry_after: Annotated[int, Meta(ge=0)] | Annotated[str, Meta(max_length=100)] | None = None
    after_events: Annotated[int, Meta(ge=0)] | None = None
    odd: Odd | None = None
    turn: Annotated[int, Meta(ge=1)] | None = None
