"""What can go wrong with Google: an error of the token endpoint or of Sheets, or a page in place of either."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Literal

from msgspec import Meta
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from doubles import faults
from doubles.faults import asked
from doubles.google.errors import STATUSES, GoogleError, error_info, page
from doubles.reading import Invalid

OAUTH_ERRORS = {
    "invalid_grant": (400, "Token has been expired or revoked."),
    "invalid_scope": (400, "Some requested scopes were invalid."),
    "invalid_request": (400, "Bad Request"),
    "invalid_rapt": (400, "reauth related error (invalid_rapt)"),
    "admin_policy_enforced": (400, "Access to this account's data is blocked by its administrator's policy."),
    "invalid_client": (401, "The OAuth client was not found."),
    "deleted_client": (401, "The OAuth client was deleted."),
    "unauthorized_client": (401, "Unauthorized"),
    "rate_limited": (429, "Too many requests."),
    "internal_failure": (500, "Internal error."),
}
"""Errors of the token endpoint: status and description. `invalid_rapt` is a subtype of invalid_grant."""
_MESSAGES = {
    "RESOURCE_EXHAUSTED": "Quota exceeded for quota metric 'Write requests' and limit 'Write requests per minute per "
    "user' of service 'sheets.googleapis.com'.",
    "UNAVAILABLE": "The service is currently unavailable.",
    "INTERNAL": "Internal error encountered.",
    "PERMISSION_DENIED": "The caller does not have permission",
    "NOT_FOUND": "Requested entity was not found.",
    "FAILED_PRECONDITION": "This operation is not supported for this document",
}
_ACTIVATION = "https://console.developers.google.com/apis/api/sheets.googleapis.com/overview"
SERVICE_DISABLED = GoogleError(
    "PERMISSION_DENIED",
    f"Google Sheets API has not been used in project 0 before or it is disabled. Enable it by visiting {_ACTIVATION}",
    [error_info("SERVICE_DISABLED", service="sheets.googleapis.com", activationUrl=_ACTIVATION)],
)


class Fault(faults.Fault, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A call of the token endpoint or of Sheets (`on`) gets an `error`, or an HTML page with `html` as its status.

    `description` replaces an error's own; with `after` the call is carried out and only its answer is lost.
    """

    on: Literal["token", "sheets"] = "token"
    error: str = ""
    description: str = ""
    html: Annotated[int, Meta(ge=0, le=599)] = 0
    after: bool = False

    def __post_init__(self) -> None:
        """Refuse an error that the endpoint cannot have."""
        known = OAUTH_ERRORS if self.on == "token" else {**STATUSES, "SERVICE_DISABLED": 403}
        if self.error and self.error not in known:
            raise Invalid("error", f"must be one of {', '.join(known)}, not {self.error!r}")

    def answer(self) -> Response | None:
        """Return what is answered instead, if anything."""
        if self.html:
            return page(self.html, "That's an error.")
        if not self.error:
            return None
        return oauth_error(self.error, self.description) if self.on == "token" else self._sheets_error().answer()

    def _sheets_error(self) -> GoogleError:
        if self.error == "SERVICE_DISABLED":
            return SERVICE_DISABLED
        return GoogleError(self.error, self.description or _MESSAGES.get(self.error, self.error))


class Faults(faults.Faults[Fault]):
    """The faults of both endpoints."""

    def __init__(self) -> None:
        super().__init__(Fault)

    async def play(self, on: str, request: Request, carry_out: Callable[[], Awaitable[Response]]) -> Response:
        """Answer as an ordered fault says, or carry the call out."""
        fault = await self.meet(await asked(request), lambda fault: fault.on == on) or Fault()
        instead = fault.answer()
        if instead is None:
            return await carry_out()
        # A 5xx is ambiguous: the write may have happened, and a caller must read again before it retries.
        if fault.after:
            await carry_out()
        return instead


def oauth_error(error: str, description: str = "") -> Response:
    """Return an error of the token endpoint."""
    status, usual = OAUTH_ERRORS[error]
    body = {"error": error, "error_description": description or usual}
    if error == "invalid_rapt":
        body |= {"error": "invalid_grant", "error_subtype": "invalid_rapt"}
    return JSONResponse(body, status)
