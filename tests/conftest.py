"""Tests run on two processes: what shares a cloud or a host stays together, a folder of e2e, else a file.

The longest begin first, so that both processes end at about the same time.
"""

from pathlib import PurePath

import pytest


def shared(nodeid):
    """The folder or file whose tests stay in one process."""
    file = PurePath(nodeid.split("::")[0])
    return str(PurePath(*file.parts[:3]) if file.parts[:2] == ("tests", "e2e") else file)


LONGEST = ("tests/e2e/chain", "tests/e2e/")


def pytest_collection_modifyitems(config, items):
    if hasattr(config, "workerinput"):  # one process alone begins with what fails soonest
        items.sort(key=lambda item: next((i for i, start in enumerate(LONGEST) if item.nodeid.startswith(start)), 9))


@pytest.hookimpl(optionalhook=True)  # an operator's `fab verify` collects below here without xdist
def pytest_xdist_make_scheduler(config, log):
    from xdist.scheduler import LoadScopeScheduling  # noqa: PLC0415 - as above

    class Together(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            return shared(nodeid)

    return Together(config, log)
