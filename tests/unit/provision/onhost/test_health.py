"""A release is well when what ran at the beginning of a span still runs at its end, and all answered in between."""

import itertools

import pytest

from provision.onhost.errors import Unhealthy
from provision.onhost.health import BLIND, Look, Run, Times, require_healthy

UNIT = "jada-agent.service"
WELL = Look({UNIT: Run("active", "one", 0)}, None)
NOT_YET = Look(WELL.runs, "the queue is not ready")


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self):
        self.now = 100.0
        self.times = Times(lambda: self.now, self.sleep)

    def sleep(self, seconds):
        self.now += seconds


def held(*looks, fresh=(UNIT,), seconds=10, limit_s=60):
    """Hold over looks, of which the last one repeats; returns for how long."""
    clock, shown = Clock(), itertools.chain(looks, itertools.repeat(looks[-1]))
    require_healthy(lambda: next(shown), set(fresh), seconds, limit_s, clock.times)
    return clock.now - 100


def run(**change):
    return Look({UNIT: Run(**{"state": "active", "invocation": "one", "restarts": 0, **change})}, None)


def test_it_takes_the_whole_span():
    assert 10 <= held(WELL) < 11


def test_the_span_begins_anew_when_something_was_not_right():
    assert held(*[WELL] * 10, NOT_YET, WELL) >= 15


@pytest.mark.parametrize(
    ("later", "said"),
    [
        (run(invocation="two", restarts=1), "ended and was started again"),
        (run(state="activating", invocation="two", restarts=1, job=True), "it is activating"),
        (run(state="activating"), "it is activating"),
        (run(state="failed"), "it is failed"),
    ],
)
def test_a_unit_that_ends_within_the_span_is_unhealthy_at_once_and_named(later, said):
    with pytest.raises(Unhealthy, match=said) as caught:
        held(*[WELL] * 19, later)
    assert caught.value.unit == UNIT


@pytest.mark.parametrize("first", [run(state="activating"), run(restarts=1)])
def test_a_unit_that_ended_before_the_first_look_is_unhealthy_too(first):
    with pytest.raises(Unhealthy):
        held(first, WELL)


def test_a_unit_that_was_not_restarted_may_have_restarted_last_month():
    assert held(run(restarts=3), fresh=()) >= 10


def test_what_never_becomes_right_ends_after_the_limit_with_its_cause():
    with pytest.raises(Unhealthy, match="within 70 s: the queue is not ready"):
        held(NOT_YET)


@pytest.mark.parametrize("limit_s", [5, 10])
def test_a_span_as_long_as_the_limit_leaves_that_limit_for_what_is_not_right_yet(limit_s):
    assert held(*[NOT_YET] * 8, WELL, limit_s=limit_s) >= 14


def test_what_changes_for_ever_ends_after_the_limit():
    with pytest.raises(Unhealthy, match="within 70 s"):
        held(*[WELL, NOT_YET] * 100)


def test_while_systemd_does_not_answer_nothing_is_known_and_the_span_begins_anew():
    assert held(*[BLIND] * 3, WELL) >= 11
    assert held(*[WELL] * 10, BLIND, WELL) >= 15
    with pytest.raises(Unhealthy, match="systemd does not say"):
        held(BLIND)


def test_what_ended_while_systemd_did_not_answer_is_unhealthy():
    with pytest.raises(Unhealthy, match="ended and was started again"):
        held(WELL, BLIND, run(invocation="two", restarts=1))
    with pytest.raises(Unhealthy, match="is activating"):
        held(BLIND, run(state="activating"))


def test_what_operators_restart_has_not_ended_of_itself_and_its_span_begins_anew():
    stopping, starting = run(state="deactivating", job=True), run(state="activating", invocation="two", job=True)
    assert held(*[WELL] * 10, stopping, starting, run(invocation="two")) >= 15
    # Also late: what they ask for is not of the release's own time.
    assert held(*[WELL] * 19, *[stopping] * 90, run(invocation="two")) >= 60
    with pytest.raises(Unhealthy, match="it is failed"):
        held(*[WELL] * 10, stopping, starting, run(state="failed", invocation="two"))


def test_one_that_was_restarted_by_itself_before_may_be_restarted_by_order_too():
    before = run(restarts=3)
    assert held(before, run(state="deactivating", restarts=3, job=True), run(invocation="two"), fresh=())
    with pytest.raises(Unhealthy, match="ended and was started again"):
        held(before, run(invocation="two", restarts=4), fresh=())
