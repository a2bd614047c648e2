"""Tests run on several processes: what shares a host stays together, a folder of e2e; else a file does, also one of the
chain, for which each process makes a cloud of its own.

The longest begin first, so that all processes end at about the same time.
"""

from pathlib import PurePath

import pytest

CHAIN = "tests/e2e/chain"
DEMO = f"{CHAIN}/test_demo.py"
"""Before the chain's others: the first tests of a process say how its cloud is made."""
LONGEST = ("tests/e2e/provision", DEMO, CHAIN, "tests/e2e", "tests/contract")


def shared(nodeid):
    """The folder or file whose tests stay in one process."""
    file = PurePath(nodeid.split("::")[0])
    is_folder = file.parts[:2] == ("tests", "e2e") and not file.is_relative_to(CHAIN)
    return str(PurePath(*file.parts[:3]) if is_folder else file)


def pytest_collection_modifyitems(config, items):
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: next((n for n, start in enumerate(LONGEST) if item.nodeid.startswith(start)), 9))
    else:  # one process alone begins with what fails soonest
        items.sort(key=lambda item: item.nodeid.startswith(CHAIN) and not item.nodeid.startswith(DEMO))


@pytest.hookimpl(optionalhook=True)  # an operator's `fab verify` collects below here without xdist
def pytest_xdist_make_scheduler(config, log):
    from xdist.scheduler import LoadScopeScheduling  # noqa: PLC0415 - as above

    class Together(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            return shared(nodeid)

    # Otherwise xdist begins with what has the most tests, which are the quickest.
    config.option.loadscopereorder = False
    return Together(config, log)
