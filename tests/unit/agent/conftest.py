"""A workspace, and a sandbox over it."""

import time

import pytest

from agent.sandbox.run import Sandbox
from agent.settings import ToolLimits


@pytest.fixture
def workspace(tmp_path):
    folder = tmp_path / "workspace"
    folder.mkdir()
    return folder


@pytest.fixture
def make_sandbox(workspace):
    def make(until=float("inf"), **limits):
        return Sandbox(workspace, ToolLimits(**limits), time.monotonic, lambda: until)

    return make


@pytest.fixture
def sandbox(make_sandbox):
    return make_sandbox(seconds=20)
