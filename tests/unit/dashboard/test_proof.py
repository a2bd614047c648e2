"""The page's proof of the queue: one for many readers, never older than it says, and a failure is not hidden."""

import pytest

from dashboard.proof import FRESH, Proof
from dashboard.record import Unready


class Store:
    def __init__(self):
        self.proofs, self.broken = 0, False

    def prove(self):
        self.proofs += 1
        if self.broken:
            raise Unready("its file was deleted")


@pytest.fixture
def store():
    return Store()


@pytest.fixture
def proof(store, clock):
    return Proof(store.prove, clock)


def test_many_readers_share_one_proof_and_hear_when_it_was_made(proof, store, clock):
    first = clock()
    assert [proof.latest() for _ in range(50)] == [first] * 50
    clock.go_on(seconds=FRESH.total_seconds() - 1)
    assert (proof.latest(), store.proofs) == (first, 1)


def test_it_is_made_anew_when_it_is_no_longer_fresh(proof, store, clock):
    proof.latest()
    clock.go_on(seconds=FRESH.total_seconds())
    assert (proof.latest(), store.proofs) == (clock(), 2)


def test_a_clock_that_was_set_back_makes_no_old_proof_a_new_one(proof, store, clock):
    proof.latest()
    clock.go_on(hours=-1)
    assert (proof.latest(), store.proofs) == (clock(), 2)


def test_what_broke_meanwhile_is_said_within_that_time(proof, store, clock):
    proof.latest()
    store.broken = True
    clock.go_on(seconds=FRESH.total_seconds())
    for _ in range(2):
        with pytest.raises(Unready, match="deleted"):
            proof.latest()
    assert store.proofs == 2
    store.broken = False
    clock.go_on(seconds=FRESH.total_seconds())
    assert proof.latest() == clock()
