"""The vendor's errors, by its own codes."""

from http import HTTPStatus


class AwsError(Exception):
    """A call that can't be answered: `code` is the vendor's, the text says cause and cure."""

    def __init__(self, code: str, message: str, status: HTTPStatus = HTTPStatus.BAD_REQUEST) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


def invalid(message: str) -> AwsError:
    """The input is wrong."""
    return AwsError("InvalidInputException", message)


def not_found(kind: str, name: str) -> AwsError:
    """There is no such resource."""
    return AwsError("NotFoundException", f"{kind} {name} does not exist.", HTTPStatus.NOT_FOUND)


def failure(message: str) -> AwsError:
    """The resource's state, or a quota, does not allow it."""
    return AwsError("OperationFailureException", message)


def not_built(what: str) -> AwsError:
    """AWS knows it, this double doesn't."""
    return AwsError("NotImplemented", f"{what} is not built in the local Lightsail.", HTTPStatus.NOT_IMPLEMENTED)
