"""The short way of the API's calls: the same answers as by the whole application, and the same doors."""

import pytest
import urllib3
from starlette.responses import Response
from starlette.routing import Route

from dashboard.application import create
from dashboard.calls import Index
from dashboard.stores.memory import MemoryStore
from local.serve import running
from tests.tokens import accepting
from wire import routes as table
from wire.secret import Secret

TOKEN = Secret("a-token-of-the-tests")


class Broken(MemoryStore):
    """A store that cannot list its sync runs."""

    def sync_runs(self, limit=50):
        raise RuntimeError("the secret of the house")


@pytest.fixture(scope="module")
def url():
    with running(create(Broken(), accepting(TOKEN))) as address:
        yield address


def route(path):
    return Route(path, lambda _request: Response())


def test_every_route_of_the_table_is_found_by_its_path():
    routes = {one.path: route(one.path) for one in table.ROUTES}
    index = Index(routes.values())
    for path, known in routes.items():
        names = {name: f"a-{name}" for name in known.param_convertors}
        found = index.find(path.format(**names))
        assert (found.route, found.path) == (known, names)
    for unknown in ("/", "/v1", "/v1/tasks/", "/v1/tasks/a/b/c/d/e", "/v2/tasks"):
        assert index.find(unknown) is None


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/healthz", 200),
        ("HEAD", "/healthz", 200),
        ("GET", "/v1/tasks", 200),
        ("GET", "/v1/tasks?limit=x", 422),
        ("GET", "/v1/tasks/01KRGKAHG0E073R7GREH4AHP70", 404),
        ("PATCH", "/v1/tasks", 405),
        ("GET", "/v1/nothing", 404),
        ("GET", "/v1/sync-runs", 500),
    ],
)
def test_an_answer_is_the_same_by_the_short_way_and_by_the_whole(url, method, path, status):
    """Who accepts gzip goes by the whole application; these answers are too small to be compressed."""

    def ask(coding):
        sent = {"Authorization": f"Bearer {TOKEN.reveal()}", "Accept-Encoding": coding}
        # A connection of its own: after a fault of ours it is closed.
        with urllib3.PoolManager(retries=False) as pool:
            answer = pool.request(method, url + path, headers=sent)
        headers = {name.lower(): value for name, value in answer.headers.items()}
        del headers["date"]
        return answer.status, answer.data, headers

    (code, body, headers), whole = ask("identity"), ask("gzip")
    assert (code, body) == whole[:2]
    assert code == status
    assert b"secret" not in body
    # What breaks is answered outside of the guard by the whole, without its headers.
    assert headers.items() >= whole[2].items()
    assert headers["x-content-type-options"] == "nosniff"
