"""What can go wrong with Google, on request: `POST /_local/faults` arms one for the token endpoint or for Sheets."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from doubles.google.errors import STATUSES, Failure, error_info, page
from wire.values import Invalid, decode, encode, rule

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
SERVICE_DISABLED = Failure(
    "PERMISSION_DENIED",
    f"Google Sheets API has not been used in project 0 before or it is disabled. Enable it by visiting {_ACTIVATION}",
    [error_info("SERVICE_DISABLED", service="sheets.googleapis.com", activationUrl=_ACTIVATION)],
)


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: an `error` by name, an HTML page with `html` as its status, or a silence of `hang_s` seconds.

    `on` is the token endpoint or Sheets; `description` replaces an OAuth error's own; with `after` the call is carried
    out and only its answer is lost. It hits the next `times` calls, 0 means all until it is ended.
    """

    on: str = rule(default="token", choices=("token", "sheets"))
    error: str = ""
    description: str = ""
    html: int = rule(default=0, least=0, most=599)
    hang_s: float = rule(default=0.0, least=0, most=3600)
    after: bool = False
    times: int = rule(default=0, least=0)

    def known(self) -> bool:
        """Tell whether `error` is one that the endpoint can have."""
        errors = OAUTH_ERRORS if self.on == "token" else {**STATUSES, "SERVICE_DISABLED": 403}
        return not self.error or self.error in errors

    def answer(self) -> Response | None:
        """Return what is answered instead, if anything."""
        if self.html:
            return page(self.html, "That's an error.")
        if not self.error:
            return None
        return oauth_error(self.error, self.description) if self.on == "token" else self._sheets_error().answer()

    def _sheets_error(self) -> Failure:
        if self.error == "SERVICE_DISABLED":
            return SERVICE_DISABLED
        return Failure(self.error, self.description or _MESSAGES.get(self.error, self.error))


@dataclass
class _Armed:
    fault: Fault = field(default_factory=Fault)
    left: int | None = 0


class Faults:
    """The armed fault of each endpoint."""

    def __init__(self) -> None:
        self._armed = {"token": _Armed(), "sheets": _Armed()}

    async def play(self, on: str, carry_out: Callable[[], Awaitable[Response]]) -> Response:
        """Answer as the armed fault says, or carry the call out."""
        fault = self._next(on)
        await asyncio.sleep(fault.hang_s)
        instead = fault.answer()
        if instead is None:
            return await carry_out()
        if fault.after:
            await carry_out()
        return instead

    async def arm(self, request: Request) -> Response:
        """POST /_local/faults. Raises `Invalid`."""
        fault = decode(Fault, await request.json())
        if not fault.known():
            raise Invalid("error", f"{fault.error!r} is no error of {fault.on}")
        self._armed[fault.on] = _Armed(fault, fault.times or None)
        return JSONResponse(encode(fault))

    async def clear(self, _request: Request) -> Response:
        """DELETE /_local/faults."""
        self._armed = {"token": _Armed(), "sheets": _Armed()}
        return Response(status_code=204)

    def _next(self, on: str) -> Fault:
        armed = self._armed[on]
        if armed.left == 0:
            return Fault()
        armed.left = armed.left and armed.left - 1
        return armed.fault


def oauth_error(error: str, description: str = "") -> Response:
    """Return an error of the token endpoint."""
    status, usual = OAUTH_ERRORS[error]
    body = {"error": error, "error_description": description or usual}
    if error == "invalid_rapt":
        body |= {"error": "invalid_grant", "error_subtype": "invalid_rapt"}
    return JSONResponse(body, status)
