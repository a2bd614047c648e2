"""What can go wrong with a booking system: an error page, or a source that is suddenly empty."""

from typing import Annotated

from msgspec import Meta

from doubles import faults


class Fault(faults.Fault, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A call of /v1 is answered by a page with `status`, or as if there were no booking (`empty`)."""

    status: Annotated[int, Meta(ge=0, le=599)] = 0
    empty: bool = False
