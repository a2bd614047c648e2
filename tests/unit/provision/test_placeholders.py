from pathlib import Path

import pytest

from provision.placeholders import placeholders

ROOT = Path(__file__).parents[3]


@pytest.fixture
def file(tmp_path):
    def write(text):
        path = tmp_path / "jada.prod.toml"
        path.write_text(text)
        return path

    return write


def test_as_shipped_the_sync_is_off_and_waits_for_nothing():
    assert placeholders(ROOT / "jada.prod.toml") == ()


def test_the_example_is_named_key_by_key_once_the_sync_is_on(file):
    shipped = (ROOT / "jada.prod.toml").read_text()
    found = placeholders(file(shipped.replace("enabled = false", "enabled = true")))
    assert [line.partition(" = ")[0] for line in found] == ["sync.bookings_url", "sync.spreadsheet_id"]


def test_the_local_settings_have_none():
    assert placeholders(ROOT / "jada.local.toml") == ()


def test_a_sync_that_is_off_needs_no_values(file):
    assert placeholders(file('[sync]\nenabled = false\nbookings_url = "https://bookings.example.com"\n')) == ()


@pytest.mark.parametrize(
    ("value", "left"),
    [
        ("https://api.example.com/v1", True),
        ("https://bookings.example", True),
        ("mail@example.org", True),
        ("https://notexample.com", False),
        ("https://example.company.net", False),
        ("https://api.anthropic.com", False),
    ],
)
def test_names_that_are_kept_for_examples_are_nobodys(file, value, left):
    assert bool(placeholders(file(f'[sync.source]\nurl = "{value}"\n'))) is left
    assert bool(placeholders(file(f'[sync.source]\nurls = ["{value}"]\n'))) is left
