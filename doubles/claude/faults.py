"""Bad days of the Messages API: an error, or an answer that breaks off in the middle."""

from typing import Annotated, Literal

from msgspec import Meta

from doubles import faults


class Fault(faults.Fault, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A request gets an error `status`, with a Retry-After of `retry_after` seconds where given; or its answer breaks
    off after `after_events` events of its stream (0: before the first).

    With `turn` it hits only requests for that answer of a conversation, counted from 1.
    """

    status: Literal[429, 500, 529] | None = None
    retry_after: Annotated[int, Meta(ge=0)] | None = None
    after_events: Annotated[int, Meta(ge=0)] | None = None
    turn: Annotated[int, Meta(ge=1)] | None = None
