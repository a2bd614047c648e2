"""What tests of this machine's accounts share."""

import tempfile
from pathlib import Path

import pytest


@pytest.fixture
def passable():
    """A folder through which other users may go. Below pytest's own none stays so: another run of the tests that begins
    closes that one again.
    """
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o711)
        yield Path(name)
