"""Who adds a setting is told of the places that must know it: both settings files, or the document that has it, and the
code that reads it.
"""

import ast
import re
from pathlib import Path

import pytest
from msgspec import inspect

from agent.settings import Settings as Agent
from backup.settings import Settings as Backup
from dashboard.settings import Settings as Dashboard
from notify.settings import Settings as Notify
from provision.settings import Settings as Deploy
from provision.thresholds import Thresholds
from sync.settings import Settings as Sync

ROOT = Path(__file__).parents[2]
FILES = ("jada.local.toml", "jada.prod.toml")
SECTIONS = {
    "agent": Agent,
    "audit": Thresholds,
    "backup": Backup,
    "dashboard": Dashboard,
    "deploy": Deploy,
    "notify": Notify,
    "sync": Sync,
}
PARTS = ("agent", "backup", "dashboard", "notify", "provision", "sync")
ONLY_LOCAL = {("sync", "sheets_url"), ("sync", "token_url")}
"""Where Google is, which only a stack with a double of it must be told."""
DOCUMENTED = "sync.source_settings"
"""A booking system's settings are in docs/bookings.md, kind by kind: a file shows those of its own kind."""


def types(kind):
    """All that a type consists of."""
    yield kind
    inside = [*getattr(kind, "types", ()), *getattr(kind, "item_types", ())]
    inside += [field.type for field in getattr(kind, "fields", ())]
    inside += [getattr(kind, name) for name in ("item_type", "value_type", "type") if hasattr(kind, name)]
    for each in inside:
        yield from types(each)


KEYS = sorted(
    {
        (section, kind.cls.__module__ == DOCUMENTED, field.encode_name)
        for section, settings in SECTIONS.items()
        for kind in types(inspect.type_info(settings))
        if isinstance(kind, inspect.StructType)
        for field in kind.fields
    }
)


def names(key, text):
    """Whether a text has a key with a value (commented out, perhaps), a section of that name, or speaks of it."""
    return re.search(rf'(?<![\w-]){key}"?(\.\w+)? ?=|\[[\w.-]*\b{key}\b|`{key}`', text) is not None


@pytest.mark.parametrize("file", FILES)
def test_each_setting_stands_in_the_file_that_explains_it(file):
    text, others = (ROOT / file).read_text(), (ROOT / "docs/bookings.md").read_text()
    absent = {(section, key) for section, documented, key in KEYS if not names(key, others if documented else text)}
    assert absent == (ONLY_LOCAL if file == "jada.prod.toml" else set())


@pytest.fixture(scope="module")
def read():
    """All names that the parts' code takes from something, by attribute or by key."""
    nodes = [
        node for part in PARTS for path in (ROOT / part).rglob("*.py") for node in ast.walk(ast.parse(path.read_text()))
    ]
    attributes = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    return attributes | {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}


@pytest.mark.parametrize("section", SECTIONS)
def test_each_setting_is_read(read, section):
    assert {key for own, _, key in KEYS if own == section and key not in read} == set()
