"""Tests run on several processes; tests/division.py says which has which."""

import gc
import os
import signal
import threading
from collections import Counter
from collections.abc import Callable

import pytest

from tests.division import CHAIN, DEMO, rank

# What is imported and collected stays to the end: looking for rings among it, again and again, took a third of that.
gc.disable()

# A shell ignores it for what it starts in the background, and so would every program that a test interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

OTHER = pytest.StashKey[str]()
END_SAYING = pytest.StashKey[Callable[[], None]]()
SAID_EVERY_S = 8


def pytest_configure(config):
    if hasattr(config, "workerinput"):
        from tests import shared  # noqa: PLC0415 - an operator's `fab verify` needs none of it

        shared.ask_at(config.workerinput["dynamodb"])
    # Only where runs are long: of several processes, with hosts. An operator's `fab verify` is neither.
    elif os.geteuid() == 0 and getattr(config.option, "numprocesses", None):
        from local import account, locks  # noqa: PLC0415 - an operator's machine may have no place for locks

        # By sudo what tests leave in the checkout would be root's, and its user could not remove it.
        if user := account.operator(os.environ, 0):
            config.add_cleanup(lambda: user.reclaim(account.ROOT))
        noted = locks.tests()
        config.stash[OTHER] = noted.__enter__()
        config.add_cleanup(lambda: noted.__exit__(None, None, None))


def pytest_report_header(config):
    if other := config.stash.get(OTHER, ""):
        return f"jada: other tests run already, {other}: both go on, each on networks of its own, and both take longer"
    return []


def pytest_collection_modifyitems(config, items):
    if len({item.nodeid for item in items}) < len(items):
        twice = sorted(name for name, count in Counter(item.nodeid for item in items).items() if count > 1)
        raise pytest.UsageError(f"several tests have one id, and xdist runs one of each only: {', '.join(twice)}")
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: rank(item.nodeid))
    else:  # one process alone begins with what fails soonest
        items.sort(key=lambda item: item.nodeid.startswith(CHAIN) and not item.nodeid.startswith(DEMO))


def pytest_collection_finish():
    gc.freeze()
    gc.enable()


def dynamodb():
    """The address of the one DynamoDB Local of a run on several processes: a quarter of the CPU that four take."""
    from tests import dynamo  # noqa: PLC0415 - boto3, which this process may never need

    return dynamo.address()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node):
    from tests import shared  # noqa: PLC0415 - as above

    if not hasattr(node.config, "dynamodb"):
        node.config.dynamodb = shared.share(dynamodb)
    node.workerinput["dynamodb"] = node.config.dynamodb


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes(config):
    """Say that tests are collected for as long as it lasts: a minute the first time, without a word of pytest's."""
    terminal = config.pluginmanager.get_plugin("terminalreporter")
    collected = threading.Event()

    def say():
        waited_s = 0
        while terminal and not collected.wait(SAID_EVERY_S):
            waited_s += SAID_EVERY_S
            terminal.write_line(f"     {waited_s} s  tests are collected; the first time, what they import is compiled")
            terminal.flush()

    saying = threading.Thread(target=say, daemon=True)
    saying.start()

    def end():
        collected.set()
        saying.join()  # a line that has begun would otherwise come after pytest's that they are collected

    config.stash[END_SAYING] = end
    config.add_cleanup(end)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_node_collection_finished(node):
    node.config.stash[END_SAYING]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol():
    # Some tests run a program's `main` in this process, and each of ours closes its files by a umask.
    before = os.umask(0)
    os.umask(before)
    try:
        return (yield)
    finally:
        os.umask(before)


@pytest.hookimpl(optionalhook=True)  # an operator's `fab verify` collects below here without xdist
def pytest_xdist_make_scheduler(config, log):
    from tests.scheduler import Scheduler  # noqa: PLC0415 - as above

    # Otherwise xdist begins with what has the most tests, which are the quickest.
    config.option.loadscopereorder = False
    return Scheduler(config, log)
