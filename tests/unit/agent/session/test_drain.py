"""A drain, by real signals to this process; its handlers are put back behind each test."""

import contextlib
import os
import signal
import threading
import time

import pytest

from agent.session.drain import GRACE_S, Drain, TimeUp

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGALRM)


@pytest.fixture
def drain():
    old = [signal.getsignal(number) for number in SIGNALS]
    drain = Drain(time.monotonic)
    drain.install()
    yield drain
    for number, handler in zip(SIGNALS, old, strict=True):
        signal.signal(number, handler)


def after(seconds):
    """The time `seconds` from now."""
    return time.monotonic() + seconds


def test_nothing_is_asked_until_the_signal_comes(drain):
    assert (drain.requested, drain.until()) == (False, float("inf"))
    os.kill(os.getpid(), signal.SIGTERM)
    assert drain.requested
    assert 0 < drain.until() - time.monotonic() <= GRACE_S


def test_a_second_signal_gives_no_more_time(drain):
    os.kill(os.getpid(), signal.SIGTERM)
    ends = drain.until()
    os.kill(os.getpid(), signal.SIGINT)
    assert drain.until() == ends


def test_what_blocks_is_broken_off_at_its_time(drain):
    with pytest.raises(TimeUp), drain.bounded(after(0.1)):
        time.sleep(30)


def test_what_is_bounded_is_broken_off_even_when_its_time_was_over_before(drain):
    with pytest.raises(TimeUp), drain.bounded(after(-5)):
        time.sleep(30)


def test_an_alarm_that_came_to_nothing_is_followed_by_another(drain):
    # As good as one that fires just before the call blocks, which no call then notices.
    lost = contextlib.suppress(TimeUp)
    with pytest.raises(TimeUp), drain.bounded(after(0.1)):
        block(first=lost)


def block(first):
    with first:
        time.sleep(30)
    time.sleep(30)


def test_a_drain_shortens_what_is_under_way_to_its_grace(drain):
    with drain.bounded(after(900)):
        os.kill(os.getpid(), signal.SIGTERM)
        assert 0 < signal.getitimer(signal.ITIMER_REAL)[0] <= GRACE_S


def test_a_drain_does_not_lengthen_what_is_under_way(drain):
    with drain.bounded(after(GRACE_S - 1)):
        os.kill(os.getpid(), signal.SIGTERM)
        assert signal.getitimer(signal.ITIMER_REAL)[0] <= GRACE_S - 1


def test_behind_the_block_no_alarm_is_left(drain):
    with drain.bounded(after(900)):
        pass
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0


def test_a_sleep_ends_when_a_drain_begins_and_no_later_one_starts(drain):
    signal.setitimer(signal.ITIMER_REAL, 0)
    began = time.monotonic()
    os.kill(os.getpid(), signal.SIGTERM)
    drain.sleep(30)
    drain.sleep(30)
    assert time.monotonic() - began < 30  # which each of them would take


def test_a_signal_that_does_not_interrupt_the_sleep_ends_it_all_the_same(drain, uninterrupted):
    began = time.monotonic()
    # Where this thread does not sleep yet, the signal is heard before.
    threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGTERM)).start()
    drain.sleep(30)
    assert drain.requested
    assert time.monotonic() - began < 30
