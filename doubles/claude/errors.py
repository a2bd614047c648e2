"""What the API answers instead of a message: a status with the vendor's error envelope."""

from collections.abc import Mapping
from typing import Any

TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    501: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}
"""The error type of each status that this double answers."""


class ApiError(Exception):
    """A request that gets an error: its status, the message for the caller, and details for a program."""

    def __init__(self, status: int, message: str, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.details = details


def not_built(what: str) -> ApiError:
    """Return the refusal of something that the vendor's contract has and this double has not."""
    return ApiError(501, f"{what} is not built into this double of the Messages API")


def envelope(status: int, message: str, request_id: str, details: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the body of an error, as the vendor's own type reads it."""
    error = {"type": TYPES[status], "message": message, **({"details": dict(details)} if details else {})}
    return {"type": "error", "error": error, "request_id": request_id}
