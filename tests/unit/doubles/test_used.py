"""No call of a double is there for its own sake: the product, a test of the product or a vendor's own client asks for
each. That is read from the source: what no other file names any more is found here, and goes.
"""

import re
from functools import cache

import pytest
from botocore import xform_name

from doubles.google.requests import KINDS
from doubles.google.sheets import READING, WRITING
from doubles.lightsail.calls import CALLS
from tests.unit.test_rules import LINTER, ROOT

OWN = ("doubles/", "tests/unit/doubles/", *(f"tests/contract/test_{name}_" for name in ("google", "lightsail")))
"""The doubles, and what holds them to their vendors: it would ask for any call."""

CLIENTS = "tests/contract/test_claude_clients.py"
GSPREAD = "bench/sheet_peers.py"
ASKED = {
    "/o/oauth2/auth": ("sync/auth_ga.py", "authorization_url("),
    "/token": ("sync/auth_ga.py", 'client_config["token_uri"]'),
    "/spreadsheets/d/{id}": ("local/demo.py", "/spreadsheets/d/{SHEET}"),
    "/spreadsheets/d/{id}/edit": ("doubles/google/view.py", "/edit"),
    "/v1/messages": ("agent/session/api.py", '"/v1/messages"'),
    "/v1/messages/count_tokens": (CLIENTS, "client.messages.count_tokens("),
    "/v1/models": (CLIENTS, "client.models.list("),
    "/v1/models/{name}": ("agent/fitness.py", "/v1/models/{settings.model}"),
    "/v1/bookings": ("sync/settings.py", "/v1/bookings"),
    "/v1/bookings.csv": ("local/demo.py", "/v1/bookings.csv"),
    "/shapes/{name}": ("tests/contract/sync/test_shapes.py", "/shapes/{shape}"),
    "/shapes/api_key": ("tests/contract/sync/test_shapes.py", '"api_key": {'),
    "/shapes/token": ("tests/contract/sync/test_shapes.py", "/shapes/token"),
    "/shapes/exchanged": ("tests/contract/sync/test_shapes.py", "/shapes/exchanged"),
    "spreadsheets.create": ("tests/e2e/sync/conftest.py", 'call("POST", f"{town.google}/v4/spreadsheets", '),
    "spreadsheets.get": ("sync/sheet.py", '_call("GET", query='),
    "spreadsheets.getByDataFilter": ("sync/sheet.py", '"POST", ":getByDataFilter"'),
    "spreadsheets.batchUpdate": ("sync/sheet.py", '"POST", ":batchUpdate"'),
    "spreadsheets.values.get": (GSPREAD, "tab.get_all_values("),
    "spreadsheets.values.batchGetByDataFilter": ("sync/sheet.py", "/values:batchGetByDataFilter"),
    "spreadsheets.values.update": (GSPREAD, "tab.update("),
    "spreadsheets.values.batchUpdate": (GSPREAD, "tab.batch_update("),
    "spreadsheets.values.clear": (GSPREAD, "tab.clear("),
    "spreadsheets.values.batchClear": ("tests/contract/test_google_sheets.py", "worksheet.batch_clear("),
    "spreadsheets.values.append": ("sync/sheet.py", ":append"),
}
"""Who needs an address or an operation: a file, and its words that ask for it, by hand or by a vendor's own client."""


@cache
def said():
    """What is written outside of the doubles and their own tests."""
    rooms = [*LINTER["root_packages"], "tests"]
    files = (file for room in rooms for file in (ROOT / room).rglob("*.py"))
    own = tuple(str(ROOT / path) for path in OWN)
    return "\n".join(file.read_text(encoding="utf-8") for file in files if not str(file).startswith(own))


def addresses():
    """The addresses that doubles serve beside their control calls, without `/` and what leads on to operations."""
    found = served(r'Route\(f?"(/[^"]+)"')
    return {path for path in found if not path.startswith("/_local/") and not path.endswith(":path}")}


def served(address):
    """What a pattern finds in the doubles' sources."""
    sources = (file.read_text(encoding="utf-8") for file in (ROOT / "doubles").rglob("*.py"))
    return {path for source in sources for path in re.findall(address, source)}


def made(call):
    """How boto3 and the `aws` command name a call of Lightsail."""
    method = xform_name(call)
    return rf"\.{method}\b|\b{method.replace('_', '-')}\b"


def asked(path):
    """How a control call is asked for: whole, and with anything in the place of what it leaves open."""
    return re.sub(r"\\{\w+\\}", r'[^"/\\s]+', re.escape(path)) + r"(?![\w/])"


def test_each_call_of_lightsail_is_made():
    assert [call for call in CALLS if not re.search(made(call), said())] == []


def test_each_kind_of_batch_update_is_asked_for():
    assert [kind for kind in KINDS if f'"{kind}"' not in said()] == []


def test_each_address_and_operation_has_one_who_needs_it():
    assert addresses() | {*READING, *WRITING, "spreadsheets.create"} == set(ASKED)


def test_each_control_call_is_asked_for():
    calls = served('"(/_local/[^"]+)"')
    assert "/_local/spreadsheets/{id}/share" in calls
    assert [path for path in sorted(calls) if not re.search(asked(path), said())] == []


@pytest.mark.parametrize(("file", "words"), ASKED.values(), ids=ASKED)
def test_who_needs_it_asks_for_it(file, words):
    assert words in (ROOT / file).read_text(encoding="utf-8")
