"""When a host may claim, and what keeps it from it."""

from types import SimpleNamespace

import pytest

from agent.daemon.breaker import FIRST_S, LONGEST_S, Breaker


@pytest.fixture
def host():
    """A host with a clock that is set, and what a look at it finds."""
    host = SimpleNamespace(now=0.0, found=None, looks=0)

    def look():
        host.looks += 1
        return host.found

    host.breaker = Breaker(look, lambda: host.now)
    return host


def test_a_host_is_looked_at_once_before_its_first_claim(host):
    assert (host.breaker.may_claim(), host.breaker.may_claim(), host.looks) == (True, True, 1)


def test_what_a_look_finds_stops_claims_until_a_later_look_finds_nothing(host):
    host.found = "no bwrap"
    assert (host.breaker.may_claim(), host.breaker.trouble) == (False, "no bwrap")
    host.found = None
    host.now = FIRST_S - 1
    assert (host.breaker.may_claim(), host.looks) == (False, 1)
    host.now = FIRST_S
    assert (host.breaker.may_claim(), host.breaker.trouble) == (True, None)


def test_pauses_grow_over_faults_until_a_session_gets_on(host):
    host.breaker.may_claim()
    pauses = []
    for _ in range(7):
        host.breaker.open("no credit")
        began = host.now
        while not host.breaker.may_claim():
            host.now += FIRST_S
        pauses.append(host.now - began)
    assert pauses == [60, 120, 240, 480, 960, 1800, LONGEST_S]
    host.breaker.close()
    host.breaker.open("no credit")
    host.now += FIRST_S
    assert host.breaker.may_claim()


def test_a_fault_lasts_from_the_second_one_in_a_row_on(host):
    host.breaker.may_claim()
    host.breaker.open("overloaded")
    assert not host.breaker.lasting
    host.now += FIRST_S
    host.breaker.may_claim()
    host.breaker.open("overloaded")
    assert host.breaker.lasting
