"""A workspace, and a sandbox over it."""

import time

import pytest

from agent.sandbox.run import Sandbox
from agent.settings import ToolLimits
from tests.unit.agent.hurried import Hurried


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
def hurried(workspace):
    """Makes sandboxes whose time is up once a call has written `begun`."""

    def make(**limits):
        return Sandbox(workspace, ToolLimits(**{"seconds": 60, **limits}), Hurried(workspace), lambda: float("inf"))

    return make


@pytest.fixture
def sandbox(make_sandbox):
    return make_sandbox(seconds=20)
