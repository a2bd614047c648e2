"""Google's error documents."""

from collections.abc import Mapping
from typing import Any

from starlette.responses import HTMLResponse, JSONResponse, Response

STATUSES = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "RESOURCE_EXHAUSTED": 429,
    "INTERNAL": 500,
    "UNIMPLEMENTED": 501,
    "UNAVAILABLE": 503,
}
"""Canonical status of google.rpc → HTTP status; the table of google/rpc/code.proto."""

_TYPE = "type.googleapis.com/google.rpc."


class GoogleError(Exception):
    """A call that fails as Google's calls do: a canonical status, a message, and typed details."""

    def __init__(self, status: str, message: str, details: list[dict[str, Any]] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.details = details or []

    def answer(self) -> Response:
        """Make the HTTP answer."""
        code = STATUSES[self.status]
        error: dict[str, Any] = {"code": code, "message": self.message, "status": self.status}
        if self.details:
            error["details"] = self.details
        return JSONResponse({"error": error}, code)


def invalid(message: str) -> GoogleError:
    """Return the failure of a request that makes no sense."""
    return GoogleError("INVALID_ARGUMENT", message)


def bad_request(violations: list[Mapping[str, str]]) -> GoogleError:
    """Return the failure of a request that does not fit the API's types; a violation has a `description`."""
    message = "\n".join(violation["description"] for violation in violations)
    details = [{"@type": f"{_TYPE}BadRequest", "fieldViolations": [dict(v) for v in violations]}]
    return GoogleError("INVALID_ARGUMENT", message, details)


def not_built(what: str) -> GoogleError:
    """Return the failure of what Google knows and this double has not built."""
    return GoogleError("UNIMPLEMENTED", f"{what}: Google's API has it, this double does not build it.")


def error_info(reason: str, **metadata: str) -> dict[str, Any]:
    """Return the ErrorInfo detail, by which programs tell one PERMISSION_DENIED from another."""
    return {"@type": f"{_TYPE}ErrorInfo", "reason": reason, "domain": "googleapis.com", "metadata": metadata}


def page(code: int, title: str) -> Response:
    """Return an error as Google's front ends give it before any API is reached: a page, not JSON."""
    return HTMLResponse(f"<!DOCTYPE html><html><title>Error {code}</title><p><b>{code}.</b> {title}</html>", code)
