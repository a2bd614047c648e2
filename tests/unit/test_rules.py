"""What import-linter can't see: that plans and rules touch nothing outside, which needs no import, and that no room
grows into most of the product.
"""

import ast
import sqlite3
import tomllib
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from dashboard.stores.sqlite import SqliteStore
from sync.history import opened

ROOT = Path(__file__).parents[2]
LINTER = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
CONTRACTS = LINTER["contracts"]
NAMES = ("Plans and rules do no I/O", "What plans over values that another module reads does no I/O itself")
RULES = [module for contract in CONTRACTS if contract["name"] in NAMES for module in contract["source_modules"]]
FILES = {"open", "print", "input", "read_text", "write_text"}
CLOCKS = {"now", "today", "utcnow", "time"}
CHANCE = {"random", "urandom", "ULID"}
"""`ULID()` draws an id; what reads one, `ULID.from_str`, is no call of it."""
DIGESTS = {"digest", "id", "image", "key", "name", "root", "session", "sha256", "task", "value"}
"""Columns that hold one, an id, or what was given by others."""


def impure(source):
    """Names of the calls that touch a file, a clock or chance."""
    calls = [node.func for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    return {getattr(call, "attr", None) or getattr(call, "id", None) for call in calls} & (FILES | CLOCKS | CHANCE)


@pytest.mark.parametrize("module", RULES)
def test_rules_neither_open_files_nor_read_the_clock(module):
    assert impure(ROOT.joinpath(*module.split(".")).with_suffix(".py").read_text()) == set()


@pytest.mark.parametrize(
    "call", ["open('x')", "datetime.now(UTC)", "time.time()", "Path('x').open()", "random.random()", "ULID()"]
)
def test_each_such_call_is_seen(call):
    assert impure(f"def rule():\n    return 1 + {call}")


def test_a_module_s_name_says_what_it_does():
    names = {path.stem for room in LINTER["root_packages"] for path in (ROOT / room).rglob("*.py")}
    assert names & {"app", "base", "common", "core", "helper", "helpers", "manager", "misc", "util", "utils"} == set()


def test_no_room_holds_more_than_a_third_of_the_product():
    lines = {
        room: sum(len(path.read_bytes().splitlines()) for path in (ROOT / room).rglob("*.py"))
        for room in LINTER["root_packages"]
    }
    assert [room for room, own in lines.items() if 3 * own > sum(lines.values())] == []


def test_what_hypothesis_tries_depends_on_neither_chance_nor_time():
    used = settings()
    assert (used.derandomize, used.deadline, HealthCheck.too_slow in used.suppress_health_check) == (True, None, True)


def columns(path):
    """A file's columns, `table.column`, with what SQLite makes of the type that each was given."""
    with closing(sqlite3.connect(path)) as db:
        tables = [name for (name,) in db.execute("SELECT name FROM pragma_table_list WHERE type = 'table'")]
        return {
            f"{table}.{name}": "number" if kind not in ("TEXT", "BLOB", "") else "as it is"
            for table in tables
            for _, name, kind, *_ in db.execute(f"PRAGMA table_info({table})")
        }


def test_no_column_takes_a_digest_for_a_number(tmp_path):
    """A type that is none of SQLite's own words makes numbers of texts: 000012345678 would be 12345678, 0e12 be 0."""
    with closing(SqliteStore(tmp_path / "queue.db")), opened(tmp_path, ("id",)) as history:
        history.follow()  # as one of several hosts
        found = columns(tmp_path / "queue.db") | columns(tmp_path / "history.sqlite")
    named = {name: kind for name, kind in found.items() if name.partition(".")[2] in DIGESTS}
    assert {"keys.digest", "blobs.sha256", "deliveries.sha256", "kept.digest", "base.id"} <= named.keys()
    assert [name for name, kind in named.items() if kind == "number"] == []
