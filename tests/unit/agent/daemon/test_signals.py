import os
import signal
import subprocess
import time

import pytest

from agent.daemon.signals import Signals


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_asks_to_stop_and_ends_the_wait(number):
    with Signals() as signals:
        os.kill(os.getpid(), number)
        began = time.monotonic()
        signals.wait(120)
    assert (signals.stop, time.monotonic() - began < 60) == (True, True)


@pytest.mark.process
def test_a_childs_end_wakes_and_asks_for_nothing():
    with Signals() as signals:
        child = subprocess.Popen(["true"])
        began = time.monotonic()
        signals.wait(120)
        child.wait()
    assert (signals.stop, time.monotonic() - began < 60) == (False, True)


def test_a_quiet_wait_ends_by_its_time():
    with Signals() as signals:
        began = time.monotonic()
        signals.wait(0.05)
    assert time.monotonic() - began >= 0.05


def test_the_handlers_of_before_come_back():
    before = signal.getsignal(signal.SIGTERM)
    with Signals():
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) is before
