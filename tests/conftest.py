"""Tests run on two processes: what shares a cloud or a host stays together, a folder of e2e, else a file."""

from pathlib import Path

import pytest

TESTS = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)  # before xdist reads the marks
def pytest_collection_modifyitems(items):
    for item in items:
        shared = item.path.parent if TESTS / "e2e" in item.path.parent.parents else item.path
        item.add_marker(pytest.mark.xdist_group(str(shared.relative_to(TESTS))))
