"""What can be had: bundles, blueprints and regions, read from catalog.toml beside this file."""

import tomllib
from pathlib import Path
from typing import Any

_CATALOG = tomllib.loads(Path(__file__).with_name("catalog.toml").read_text(encoding="utf-8"))
BUNDLES: dict[str, dict[str, Any]] = _CATALOG["bundles"]
BLUEPRINTS: dict[str, str] = _CATALOG["blueprints"]
"""The name of each, by its id."""
ZONES: dict[str, list[str]] = {
    region: [region + letter for letter in letters] for region, letters in _CATALOG["zones"].items()
}
"""The availability zones of each region."""
