"""Each way in which AWS says no has its own cause and cure."""

import pytest
from botocore import exceptions

from provision.reach.aws_errors import explained


def answer(code):
    return exceptions.ClientError({"Error": {"Code": code, "Message": "as AWS says"}}, "GetInstance")


@pytest.mark.parametrize(
    ("error", "cause", "cure"),
    [
        (exceptions.NoCredentialsError(), "no AWS credentials", "log in"),
        (exceptions.UnauthorizedSSOTokenError(), "has expired", "log in"),
        (exceptions.SSOTokenLoadError(error_msg="gone"), "has expired", "log in"),
        (exceptions.TokenRetrievalError(provider="sso", error_msg="expired"), "has expired", "log in"),
        (answer("ExpiredTokenException"), "has expired", "log in"),
        (answer("UnrecognizedClientException"), "does not know these credentials", "log in"),
        (answer("InvalidSignatureException"), "signature", "clock"),
        (answer("ThrottlingException"), "slower", "wait a minute"),
        (answer("AccessDeniedException"), "refused access to box", "docs/iam"),
        (answer("NotFoundException"), "no instance box", "pulumi refresh"),
        (answer("ServiceException"), "gave no access to box", "run again"),
        (exceptions.ConnectTimeoutError(endpoint_url="https://x"), "does not answer", "network"),
        (exceptions.ReadTimeoutError(endpoint_url="https://x"), "does not answer", "network"),
        (exceptions.EndpointConnectionError(endpoint_url="https://x"), "does not answer", "network"),
        (exceptions.ProfileNotFound(profile="odd"), "could not be asked about box", "AWS settings"),
    ],
    ids=lambda given: type(given).__name__ if isinstance(given, Exception) else None,
)
def test_each_error_has_its_own_cause_and_cure(error, cause, cure):
    said = explained("box", error, local=False)
    assert cause in said.cause
    assert cure in said.cure
    assert "make demo" not in said.cure


def test_only_the_local_cloud_is_brought_up_by_a_demo():
    error = exceptions.EndpointConnectionError(endpoint_url="http://10.77.0.1")
    assert "make demo" in explained("box", error, local=True).cure
