"""What can be had: regions, bundles and blueprints, read from catalog.toml beside this file."""

import tomllib
from pathlib import Path
from typing import Any

_CATALOG = tomllib.loads(Path(__file__).with_name("catalog.toml").read_text(encoding="utf-8"))
STARTABLE = "debian_12"
"""The blueprint of which this double has an image."""

BUNDLES: dict[str, dict[str, Any]] = {
    entry["bundleId"]: {
        **entry, "isActive": True, "supportedPlatforms": ["LINUX_UNIX"], "publicIpv4AddressCount": 1,
    }
    for entry in _CATALOG["bundles"]
}  # fmt: skip
BLUEPRINTS: dict[str, dict[str, Any]] = {
    entry["blueprintId"]: {
        **entry, "type": "os", "isActive": True, "minPower": 0, "versionCode": "1", "platform": "LINUX_UNIX",
        "description": f"{entry['name']} {entry['version']}", "licenseUrl": entry["productUrl"],
    }
    for entry in _CATALOG["blueprints"]
}  # fmt: skip
REGIONS: dict[str, dict[str, Any]] = {
    entry["name"]: {**entry, "description": f"This region is recommended to serve users near {entry['displayName']}"}
    for entry in _CATALOG["regions"]
}


def zones(region: str) -> list[str]:
    """The availability zones of a region."""
    return [region + letter for letter in REGIONS[region]["zones"]]
