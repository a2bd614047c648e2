"""What a run of the tests says before the first of them."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# The line of 0.2 s is held until the collecting is over, and half a second more: a run that did not wait for a line
# once begun would say "1 worker [1 item]" before it.
HOOKS = """
import pathlib, threading
from _pytest.terminal import TerminalReporter
from tests import conftest

over = threading.Event()
write_line = TerminalReporter.write_line

def held(self, line, **markup):
    if "0.2 s  tests are collected" in line:
        (pathlib.Path(__file__).parent / "answers").write_bytes(b"1")
        over.wait()
        threading.Event().wait(0.5)
    write_line(self, line, **markup)

TerminalReporter.write_line = held
conftest.SAID_EVERY_S = 0.1
pytest_xdist_setupnodes = conftest.pytest_xdist_setupnodes

def pytest_xdist_node_collection_finished(node):
    over.set()
    conftest.pytest_xdist_node_collection_finished(node)
"""
SLOW = """
import pathlib, threading
with (pathlib.Path(__file__).parent / "answers").open("rb", buffering=0) as answers:
    answers.read(1)
def test_long_enough_to_be_spoken_over():
    threading.Event().wait(0.5)
"""


@pytest.mark.process
def test_that_tests_are_collected_is_said_until_it_is_over(tmp_path):
    (tmp_path / "conftest.py").write_text(HOOKS)
    (tmp_path / "test_slow.py").write_text(SLOW)
    os.mkfifo(tmp_path / "answers")
    command = [sys.executable, "-m", "pytest", "-n", "1", "-c", "/dev/null", "-p", "no:cacheprovider", str(tmp_path)]
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    env["PYTHONPATH"] = str(ROOT)
    run = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    before, begun, after = run.stdout.partition("1 worker [1 item]")
    assert (run.returncode, bool(begun)) == (0, True), run.stdout
    assert re.findall(r"(\S+) s  tests are collected", before) == ["0.1", "0.2"]
    assert "tests are collected" not in after
