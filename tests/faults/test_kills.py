"""Some kills of the sweep (`make faults` has thousands), and that it would see a store that says too much."""

import random

import pytest
from ulid import ULID

from dashboard.stores.sqlite import SqliteStore
from tests.faults import kills

pytestmark = pytest.mark.process


def test_what_was_acknowledged_is_there_after_each_kill():
    # As another test of this process may have done last: each fork would go on from this id.
    ULID.from_datetime(kills.NOW)
    violations, heard = kills.sweep(40, random.Random(7))
    assert violations == []
    assert heard > 40


def forgetful(path, kill, chance, say):
    """A worker whose writes are acknowledged before they are made."""
    for number in range(10**6):
        say(id=f"{kill:013}{number:013}", word="never", labels=())


def careless(path, kill, chance, say):
    """A worker whose store keeps no costs, and who speaks of them only."""
    store = SqliteStore(path)
    with store._writing() as db:
        db.execute("DROP TRIGGER IF EXISTS listed_changed")
    kills.worker(path, kill, chance, lambda **said: say(**said) if said.get("cost") else None)


@pytest.mark.parametrize(("work", "said"), [(forgetful, "its task is not there"), (careless, "costs says something")])
def test_the_sweep_sees_a_write_that_is_lost_and_an_index_that_is_left_behind(work, said):
    # It ends at the first.
    violations, _ = kills.sweep(10, random.Random(7), work)
    assert said in "".join(violations)
