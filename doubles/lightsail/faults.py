"""Bad days of Lightsail: an error of its own, such as ThrottlingException or ServiceException."""

from http import HTTPStatus
from typing import Annotated

from msgspec import Meta

from doubles import faults
from doubles.lightsail.errors import AwsError


class Fault(faults.Fault, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A call gets an `error` by the vendor's code; `match` may be a call's name, or a resource's."""

    error: str = ""
    status: Annotated[int, Meta(ge=400, le=599)] = 400

    def require_none(self) -> None:
        """Raise the error ordered, if it is one."""
        if self.error:
            raise AwsError(self.error, "A fault ordered by /_local/faults.", HTTPStatus(self.status))
