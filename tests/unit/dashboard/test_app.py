"""The application as a whole: its watch, and what it says when it breaks."""

import sqlite3
import time

import pytest
import urllib3

from dashboard.app import create
from dashboard.settings import Settings
from dashboard.stores import TaskFilter
from dashboard.stores.memory import MemoryStore
from local.serve import running
from wire.client import Client, RequestRefused
from wire.types import NewTask, State


class FailsOnce(MemoryStore):
    """A store whose first look at the sync fails, as on a full disk."""

    def __init__(self):
        super().__init__()
        self.failed = False

    def last_success(self):
        if not self.failed:
            self.failed = True
            raise sqlite3.OperationalError("database or disk is full")
        return super().last_success()


class Broken(MemoryStore):
    """A store that can't list its tasks."""

    def tasks(self, which=None, *, before=None, limit=50):
        raise sqlite3.OperationalError("the secret of the house")


def until(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.05)


def test_the_watch_looks_by_itself_and_outlives_a_failure(token, clock):
    store = FailsOnce()
    with running(create(store, token, Settings(watch_s=1), clock)):
        until(lambda: store.failed)
        clock.go_on(hours=2)
        until(lambda: store.tasks(TaskFilter(state=State.NEEDS_YOU)))


def test_the_watch_deletes_what_is_too_old(token, clock):
    store = MemoryStore()
    with running(create(store, token, Settings(watch_s=1), clock)) as url:
        client = Client(url, token, retries=0)
        client.cancel(client.add_task(NewTask(title="t")).id)
        clock.go_on(days=366)
        until(lambda: not any(task.title == "t" for task in client.tasks()))


def test_our_own_fault_is_told_as_one_without_its_insides(token, clock):
    with running(create(Broken(), token, Settings(), clock)) as url:
        with pytest.raises(RequestRefused) as refused:
            list(Client(url, token, retries=0).tasks())
        page = urllib3.request("GET", url)
    assert (refused.value.problem.status, page.status) == (500, 500)
    assert "journalctl -u jada-dashboard" in refused.value.problem.detail
    assert b"journalctl" in page.data
    assert b"secret of the house" not in page.data
