import base64

import pytest

from doubles.lightsail.calls.answers import PAGE, page
from doubles.lightsail.errors import AwsError


def test_pages_together_are_the_list():
    items, token, seen = list(range(2 * PAGE + 1)), None, []
    while True:
        part, rest = page(items, token)
        seen += part
        if not rest:
            break
        token = rest["nextPageToken"]
    assert seen == items


def test_a_list_that_fits_on_a_page_has_no_token():
    assert page(list(range(PAGE)), None) == (list(range(PAGE)), {})


@pytest.mark.parametrize(
    "token", ["x", "cGFnZQ==", base64.b64encode(b"page:-1").decode(), base64.b64encode(b"a:1").decode()]
)
def test_a_token_of_no_users_is_refused(token):
    with pytest.raises(AwsError, match="pageToken"):
        page([1], token)
