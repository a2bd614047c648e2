"""The stores by their names, empty, for the tests that hold for each."""

from dashboard.stores.memory import MemoryStore
from dashboard.stores.sqlite import SqliteStore
from tests import dynamo

TARGETS = ("mail", "chat")


def made(name, tmp_path):
    """Make an empty store; whoever asks closes it."""
    if name == "dynamodb":
        return dynamo.store(targets=TARGETS)
    return SqliteStore(tmp_path / "queue.db", targets=TARGETS) if name == "sqlite" else MemoryStore(targets=TARGETS)
