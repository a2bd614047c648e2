"""Each piece of settings that docs/bookings.md shows is one that the sync takes."""

import re
import tomllib
from pathlib import Path

import pytest

from sync import settings

TEXT = (Path(__file__).parents[3] / "docs" / "bookings.md").read_text(encoding="utf-8")
BLOCKS = [tomllib.loads(block)["sync"] for block in re.findall(r"^```toml\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)]
HTTP = {"kind": "http", "url": "https://api.example.com"}
CSV = {"kind": "file", "path": "/x", "format": "csv"}
FIELDS = {"id": "id", "arrival": {"path": "arrival", "type": "date"}}
WINDOW = {"window_from": "2026-01-01", "window_to": "2026-12-31"}


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: ", ".join([*block, *block.get("source", ())]))
def test_a_piece_of_settings_is_valid(block):
    by_row = any(isinstance(field, dict) and field["path"] == "#" for field in block.get("fields", {}).values())
    source = block.get("source", {})
    source = source if "kind" in source else {**(CSV if by_row else HTTP), **source}
    settings.read({"spreadsheet_id": "x", "fields": FIELDS, **WINDOW, **block, "source": source})


def test_there_are_as_many_as_there_are_things_to_show():
    assert len(BLOCKS) == 7
