"""A unit test is of one part, in its own process; one that starts programs says so by the mark `process` or `root`.

`make unit` leaves those two out: whatever is added here, it stays quick.
"""

import signal
import sys
import threading

import pytest

import tests.untimed  # noqa: F401 - before a test module is imported: what it finds then stays

OUTSIDE = {"subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.exec"}
"""Python's own audit events by which a test leaves its process."""
seen = []


def note(event, _arguments):
    # The test's own thread: in a whole run a cloud of other tests may live on in this process, with threads of its own.
    if event in OUTSIDE and threading.current_thread() is threading.main_thread():
        seen.append(event)


# For each process once: a hook can't be taken away again.
sys.addaudithook(note)


def require_inside(item):
    """Fail a test that left its process without saying so."""
    if seen and not any(item.iter_markers("process")) and not any(item.iter_markers("root")):
        pytest.fail(f"{', '.join(sorted(set(seen)))}: mark it `process`, or move it to tests/contract", pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item):
    seen.clear()
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    result = yield
    require_inside(item)
    return result


@pytest.fixture
def uninterrupted():
    """SIGTERM goes to another thread of this process, and interrupts no wait: as one that comes just before it."""
    over = threading.Event()
    other = threading.Thread(target=over.wait)
    other.start()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    yield
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    over.set()
    other.join()
