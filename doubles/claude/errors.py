"""What the API answers instead of a message: a status with the vendor's error envelope."""

from typing import Any

TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    404: "not_found_error",
    405: "invalid_request_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    501: "api_error",
    529: "overloaded_error",
}
"""The error type of each status that this double answers."""


class ApiError(Exception):
    """A request that gets an error: its status and the message for the caller."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def not_built(what: str) -> ApiError:
    """Return the refusal of something that the vendor's contract has and this double has not."""
    return ApiError(501, f"{what} is not built into this double of the Messages API")


def envelope(status: int, message: str, request_id: str) -> dict[str, Any]:
    """Return the body of an error, as the vendor's own type reads it."""
    error = {"type": TYPES[status], "message": message}
    return {"type": "error", "error": error, "request_id": request_id}
