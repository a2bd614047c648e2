"""Tests run on several processes: what shares a host stays together, a folder of e2e; else a file does, also one of the
chain, for which each process makes a cloud of its own.

The longest begin first, so that all processes end at about the same time.
"""

import gc
import os
import signal
from pathlib import PurePath

import pytest

# What is imported and collected stays to the end: looking for rings among it, again and again, took a third of that.
gc.disable()

# A shell ignores it for what it starts in the background, and so would every program that a test interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

PROVISION = "tests/e2e/provision"
CHAIN = "tests/e2e/chain"
DEMO = f"{CHAIN}/test_demo.py"
"""Before the chain's others: the first tests of a process say how its cloud is made."""
LONGEST = (PROVISION, DEMO, CHAIN, "tests/e2e", "tests/contract")


def shared(nodeid):
    """The folder or file whose tests stay in one process."""
    file = PurePath(nodeid.split("::")[0])
    is_folder = file.parts[:2] == ("tests", "e2e") and not file.is_relative_to(CHAIN)
    return str(PurePath(*file.parts[:3]) if is_folder else file)


OTHER = pytest.StashKey[str]()


def pytest_configure(config):
    if hasattr(config, "workerinput"):
        from tests import shared  # noqa: PLC0415 - an operator's `fab verify` needs none of it

        shared.ask_at(config.workerinput["dynamodb"])
    # Only where runs are long: of several processes, with hosts. An operator's `fab verify` is neither.
    elif os.geteuid() == 0 and getattr(config.option, "numprocesses", None):
        from local import locks  # noqa: PLC0415 - an operator's machine may have no place for locks

        noted = locks.tests()
        config.stash[OTHER] = noted.__enter__()
        config.add_cleanup(lambda: noted.__exit__(None, None, None))


def pytest_report_header(config):
    if other := config.stash.get(OTHER, ""):
        return f"jada: other tests run already, {other}: both go on, each on networks of its own, and both take longer"
    return []


def pytest_collection_modifyitems(config, items):
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: next((n for n, start in enumerate(LONGEST) if item.nodeid.startswith(start)), 9))
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


@pytest.hookimpl(optionalhook=True)  # an operator's `fab verify` collects below here without xdist
def pytest_xdist_make_scheduler(config, log):
    from xdist.scheduler import LoadScopeScheduling  # noqa: PLC0415 - as above

    class Together(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            return shared(nodeid)

        def _assign_work_unit(self, node):
            if self._makes_no_cloud(node):
                self.workqueue.move_to_end(self._of_no_cloud(), last=False)
            super()._assign_work_unit(node)

        def _reschedule(self, node):
            if self.workqueue and self._makes_no_cloud(node) and not self._of_no_cloud():
                node.shutdown()  # otherwise it would keep its last test until the others have ended
            else:
                super()._reschedule(node)

        def _makes_no_cloud(self, node):
            """The process with the longest folder comes to the chain when that is nearly over: too late for a cloud."""
            return len(self.nodes) > 1 and PROVISION in self.assigned_work[node]

        def _of_no_cloud(self):
            return next((scope for scope in self.workqueue if not scope.startswith(CHAIN)), None)

    # Otherwise xdist begins with what has the most tests, which are the quickest.
    config.option.loadscopereorder = False
    return Together(config, log)
