"""The application as a whole: its watch, and what it says when it breaks."""

import gzip
import re
import sqlite3
import time

import pytest

from dashboard.application import create
from dashboard.guard import HEADERS
from dashboard.record import Busy
from dashboard.settings import Settings
from dashboard.stores import TaskFilter
from dashboard.stores.memory import MemoryStore
from local.serve import running
from tests.browser import Browser
from tests.tokens import accepting
from wire.client import Client, RequestRefused
from wire.types import File, NewTask, State


class FailsOnce(MemoryStore):
    """A store whose first look at the sync fails."""

    def __init__(self, error):
        super().__init__()
        self.failed = False
        self._error = error

    def last_success(self):
        if not self.failed:
            self.failed = True
            raise self._error
        return super().last_success()


class Broken(MemoryStore):
    """A store that can't list its tasks."""

    def tasks(self, which=None, *, before=None, limit=50):
        raise sqlite3.OperationalError("the secret of the house")

    def listing(self, which=None, *, sort=None, cursor=None, limit=50):
        raise sqlite3.OperationalError("the secret of the house")


def until(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("error", "is_traced"),
    [(sqlite3.OperationalError("database or disk is full"), True), (Busy("DynamoDB refuses for now"), False)],
    ids=["one that was not foreseen", "a table that is away"],
)
def test_the_watch_looks_by_itself_and_outlives_a_failure(token, clock, caplog, error, is_traced):
    store = FailsOnce(error)
    with running(create(store, accepting(token), Settings(watch_s=1), clock)):
        until(lambda: store.failed)
        clock.go_on(hours=2)
        until(lambda: store.tasks(TaskFilter(state=State.NEEDS_YOU)))
    (said,) = (record for record in caplog.records if "the watch could not look" in record.getMessage())
    assert (bool(said.exc_info), str(error) in said.getMessage()) == (is_traced, not is_traced)


def test_the_watch_deletes_what_is_too_old(token, clock):
    store = MemoryStore()
    with running(create(store, accepting(token), Settings(watch_s=1), clock)) as url:
        client = Client(url, token, retries=0)
        client.cancel(client.add_task(NewTask(title="t")).id)
        clock.go_on(days=366)
        until(lambda: not any(task.title == "t" for task in client.tasks()))


def test_our_own_fault_is_reported_as_one_without_its_insides(token, clock):
    with running(create(Broken(), accepting(token), Settings(), clock)) as url:
        with pytest.raises(RequestRefused) as refused:
            list(Client(url, token, retries=0).tasks())
        page = Browser(url, token)("GET")
    assert (refused.value.problem.status, page.status) == (500, 500)
    assert "journalctl -u jada-dashboard" in refused.value.problem.detail
    assert b"journalctl" in page.data
    assert b"secret of the house" not in page.data
    # It is answered outside of what gives all others their headers.
    assert {name: page.headers[name] for name in HEADERS} == HEADERS


@pytest.fixture
def get(url, token):
    """The answer as it came, not unpacked."""
    browser = Browser(url, token)

    def ask(path, accepted="gzip"):
        return browser("GET", path, headers={"Accept-Encoding": accepted}, decode_content=False)

    return ask


def unmasked(page):
    """A page without what is another at each time: CSRF tokens, and the form's key."""
    return re.sub(rb'value="[0-9a-f]{128}"|value="[0-9A-Z]{26}"', b"", page)


@pytest.mark.parametrize("path", ["/", "/assets/style.css", "/v1/openapi.json"])
def test_page_and_json_are_compressed_for_those_who_accept_it(get, path):
    packed, plain = get(path), get(path, "identity")
    assert unmasked(gzip.decompress(packed.data)) == unmasked(plain.data)
    assert len(packed.data) < len(plain.data) / 2
    assert (packed.headers["Content-Encoding"], plain.headers.get("Content-Encoding")) == ("gzip", None)
    assert [answer.headers["Vary"] for answer in (packed, plain)] == ["Accept-Encoding"] * 2
    assert packed.headers["X-Content-Type-Options"] == "nosniff"


def test_small_answers_and_files_are_sent_as_they_are(get, client):
    task = client.add_task(NewTask(title="t", context=(File(name="a.txt", content=b"a" * 10_000),)))
    file = get(f"/tasks/{task.id}/context/a.txt")
    assert file.data == b"a" * 10_000
    assert {"Content-Encoding", "Vary"}.isdisjoint(file.headers)
    assert "Content-Encoding" not in get("/healthz").headers
