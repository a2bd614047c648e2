"""Every store, for each test that asks for one: what is asked of one is asked of all."""

from contextlib import closing

import pytest

import tests.untimed  # noqa: F401 - before a test module is imported: what it finds then stays


@pytest.fixture(params=["memory", "sqlite", "dynamodb"])
def store(request, tmp_path):
    # Here: most tests below need no store, and boto3 takes a second.
    from tests.contract.stores import made  # noqa: PLC0415 - see above

    with closing(made(request.param, tmp_path)) as found:
        yield found
