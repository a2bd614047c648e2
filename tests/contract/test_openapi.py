"""What the API says of itself is true: schemathesis asks it all that the document allows, and all that it forbids."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from dashboard import openapi
from dashboard.application import create
from dashboard.stores.sqlite import SqliteStore
from local.serve import running
from tests.tokens import accepting
from wire.client import Client
from wire.routes import ROUTES
from wire.secret import Secret
from wire.types import ClaimRequest, File, NewTask

TOKEN = Secret("a-token-of-the-tests")
WRITTEN = Path(__file__).parents[2] / "docs" / "api" / "openapi.json"
OPERATIONS = [f"{method.upper()} {path}" for path, methods in openapi.document()["paths"].items() for method in methods]


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    """A dashboard with a task in each state that a call could look for."""
    folder = tmp_path_factory.mktemp("queue")
    store = SqliteStore(folder / "queue.db")
    with running(create(store, accepting(TOKEN), backups=folder / "backups")) as address:
        client = Client(address, TOKEN)
        for number in range(3):
            client.add_task(NewTask(title=f"task {number}", context=(File(name="a.csv", content=b"1"),)))
        client.claim(ClaimRequest(host="h"))
        yield address
    store.close()


class Bearer:
    """How schemathesis comes by the token."""

    def get(self, case, context):
        return TOKEN.reveal()

    def set(self, case, data, context):
        case.headers["Authorization"] = f"Bearer {data}"


@pytest.fixture(scope="module")
def built():
    """Each operation's test, made when it is to run: schemathesis' own plugin would make them all in each process that
    collects, a quarter of what collecting everything takes, and be loaded there.
    """
    import schemathesis  # noqa: PLC0415 - as above
    from schemathesis.checks import load_all_checks  # noqa: PLC0415 - as above
    from schemathesis.generation.feedback import FeedbackSources  # noqa: PLC0415 - as above
    from schemathesis.pytest._test_builder import build_operation_test  # noqa: PLC0415 - as above

    load_all_checks()
    schema = schemathesis.openapi.from_dict(openapi.document())
    schema.auth()(Bearer)
    found = {each.ok().label: each.ok() for each in schema.get_all_operations()}
    made = {"config": schema.config, "test_func": _is_as_documented, "given_kwargs": {}, "feedback": FeedbackSources()}
    return lambda name: build_operation_test(operation=found[name], **made)


@settings(derandomize=True, max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def _is_as_documented(case, url):
    from schemathesis.checks import CHECKS  # noqa: PLC0415 - as above

    # What a schema cannot say (bytes of UTF-8, real times, that a parent exists) is refused too.
    unsaid = [CHECKS.get_one("positive_data_acceptance")]
    case.call_and_validate(base_url=url, excluded_checks=unsaid)


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_answer_is_one_that_the_document_allows(built, url, name):
    built(name)(url=url)


def test_the_document_is_served_and_written_as_it_is(url):
    import urllib3  # noqa: PLC0415 - for one call

    served = urllib3.request("GET", url + openapi.PATH)
    assert served.data.decode() == openapi.text()
    assert WRITTEN.read_text(encoding="utf-8") == openapi.text(), "python -m dashboard.openapi > docs/api/openapi.json"


def test_every_route_has_a_call_of_the_client():
    calls = {name for name in vars(Client) if not name.startswith("_")}
    # `journal` is `events` for who reads on where records are damaged.
    assert calls == {route.name for route in ROUTES} | {"journal"}


def test_every_reference_leads_somewhere():
    named = set(re.findall(r"#/components/schemas/(\w+)", openapi.text()))
    assert named <= set(json.loads(openapi.text())["components"]["schemas"])
