"""Tests run on two processes: what shares a cloud or a host stays together, a folder of e2e, else a file."""

from pathlib import PurePath

import pytest


def shared(nodeid):
    """The folder or file whose tests stay in one process."""
    file = PurePath(nodeid.split("::")[0])
    return str(PurePath(*file.parts[:3]) if file.parts[:2] == ("tests", "e2e") else file)


@pytest.hookimpl(optionalhook=True)  # an operator's `fab verify` collects below here without xdist
def pytest_xdist_make_scheduler(config, log):
    from xdist.scheduler import LoadScopeScheduling  # noqa: PLC0415 - as above

    class Together(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            return shared(nodeid)

    return Together(config, log)
