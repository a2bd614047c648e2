from datetime import UTC, datetime, timedelta

import pytest

from dashboard.application import create
from dashboard.queue import Queue
from dashboard.settings import Settings
from dashboard.stores.memory import MemoryStore
from local.serve import running
from tests.tokens import accepting
from wire.client import Client
from wire.secret import Secret


class Clock:
    """A clock that stands still until it is told to go on."""

    def __init__(self):
        self.now = datetime(2026, 5, 13, 12, tzinfo=UTC)

    def __call__(self):
        return self.now

    def seconds(self):
        """The same as seconds that only go on."""
        return self.now.timestamp()

    def go_on(self, **delta):
        self.now += timedelta(**delta)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def store():
    return MemoryStore()


@pytest.fixture
def queue(store, clock):
    return Queue(store, Settings(), clock, clock.seconds)


@pytest.fixture
def token():
    return Secret("a-token-of-the-tests")


@pytest.fixture
def url(store, clock, token):
    with running(create(store, accepting(token), Settings(), clock)) as address:
        yield address


@pytest.fixture
def client(url, token):
    return Client(url, token, retries=0)
