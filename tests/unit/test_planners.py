"""What plans neither reads files nor asks for the time: import-linter sees imports, this sees calls."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLANNERS = ["sync/plan.py", "sync/failure.py", "sync/blocks.py"]
"""Modules that only decide. Another part's belong in this list as soon as they get their time passed in."""
FORBIDDEN = {
    "open",
    "input",
    "print",
    "now",
    "utcnow",
    "today",
    "time",
    "monotonic",
    "sleep",
    "read_text",
    "read_bytes",
}


def impure_calls(source):
    """The lines that call something of these names, as a function or a method, with the name."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    names = [(call.lineno, getattr(call.func, "attr", getattr(call.func, "id", ""))) for call in calls]
    return [(line, name) for line, name in names if name in FORBIDDEN]


@pytest.mark.parametrize("planner", PLANNERS)
def test_a_planner_reads_nothing_and_does_not_know_the_time(planner):
    assert impure_calls((ROOT / planner).read_text()) == []


@pytest.mark.parametrize(
    "call", ["open('x')", "datetime.now(UTC)", "time.time()", "date.today()", "Path('x').read_text()", "f(open('x'))"]
)
def test_a_call_that_reads_or_asks_for_the_time_is_found(call):
    assert [line for line, _ in impure_calls(f"def plan():\n    return {call}\n")] == [2]
