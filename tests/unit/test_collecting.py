"""What a run of the tests says before the first of them."""

import itertools
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HOOKS = """
from tests import conftest
conftest.SAID_EVERY_S = 0.1
pytest_xdist_setupnodes = conftest.pytest_xdist_setupnodes
pytest_xdist_node_collection_finished = conftest.pytest_xdist_node_collection_finished
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
    answers = os.open(tmp_path / "answers", os.O_RDWR)
    command = [sys.executable, "-m", "pytest", "-n", "1", "-c", "/dev/null", "-p", "no:cacheprovider", str(tmp_path)]
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    with subprocess.Popen(
        command, cwd=tmp_path, env=env | {"PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, text=True
    ) as run:
        before = list(itertools.takewhile(lambda line: "0.2 s  tests are collected" not in line, run.stdout))
        os.write(answers, b"1")
        _, begun, after = run.stdout.read().partition("1 worker [1 item]")
    os.close(answers)
    assert (run.returncode, bool(begun)) == (0, True), before
    assert "tests are collected" not in after
