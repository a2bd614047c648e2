"""What AWS, or the way to it, said no with: the cause and the cure of each, and never one for another."""

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,  # noqa: A004 - botocore's own
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
    SSOError,
    TokenRetrievalError,
)

from provision.errors import CommandError

LOG_IN = "log in (aws sso login, or another AWS_PROFILE), then run again"


def explained(name: str, error: BotoCoreError | ClientError, *, local: bool) -> CommandError:
    """Say why Lightsail gave no access to an instance."""
    if isinstance(error, ClientError):
        return _answered(name, error)
    if isinstance(error, NoCredentialsError | PartialCredentialsError):
        return CommandError("no AWS credentials on this machine", LOG_IN)
    if isinstance(error, SSOError | TokenRetrievalError):
        return CommandError(f"the sign-in to AWS has expired: {error}", LOG_IN)
    if isinstance(error, ConnectionError | HTTPClientError):
        cure = "is the local cloud up (make demo)?" if local else "is this machine's network up, and its proxy right?"
        return CommandError(f"Lightsail's API does not answer: {error}", f"{cure} Then run again")
    return CommandError(f"Lightsail could not be asked about {name}: {error}", "fix this machine's AWS settings")


ANSWERS = (
    (
        ("ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"),
        ("the sign-in to AWS has expired", LOG_IN),
    ),
    (
        ("UnrecognizedClientException", "InvalidClientTokenId", "InvalidAccessKeyId", "AuthFailure"),
        ("AWS does not know these credentials", LOG_IN),
    ),
    (
        ("SignatureDoesNotMatch", "InvalidSignatureException", "RequestTimeTooSkewed"),
        ("AWS does not take this machine's signature", "is its clock right, and the secret access key whole?"),
    ),
    (
        ("Throttling", "ThrottlingException", "TooManyRequestsException", "RequestLimitExceeded", "SlowDown"),
        ("AWS asks to go slower", "wait a minute, then run again: it is safe to"),
    ),
    (
        ("NotFoundException", "DoesNotExist"),
        ("Lightsail has no instance {name}: the stack's state is older", "pulumi refresh, then pulumi up"),
    ),
    (
        ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation"),
        ("Lightsail refused access to {name}", "check the operator's policy in docs/iam/"),
    ),
)
"""AWS's codes → cause and cure."""
OTHER = ("Lightsail gave no access to {name}", "run again; report it if it stays")


def _answered(name: str, error: ClientError) -> CommandError:
    """Say what an answer of AWS means."""
    code = error.response.get("Error", {}).get("Code", "")
    cause, cure = next((meaning for codes, meaning in ANSWERS if code in codes), OTHER)
    return CommandError(f"{cause.format(name=name)}: {error}", cure)
