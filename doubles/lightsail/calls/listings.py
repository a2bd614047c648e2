"""What can be had: GetRegions, GetBundles, GetBlueprints."""

from typing import Any

from doubles.lightsail.calls.answers import page
from doubles.lightsail.catalog import BLUEPRINTS, BUNDLES, REGIONS, zones
from doubles.lightsail.cloud import Cloud
from doubles.lightsail.refusal import not_built


def get_regions(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG001 - the same for every cloud
    """List the regions; their zones on request."""
    if request.get("includeRelationalDatabaseAvailabilityZones"):
        raise not_built("GetRegions' includeRelationalDatabaseAvailabilityZones")
    with_zones = bool(request.get("includeAvailabilityZones"))
    return {"regions": [_region(region, with_zones=with_zones) for region in REGIONS.values()]}


def get_bundles(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG001 - the same for every cloud
    """List the bundles."""
    listed, rest = page(_of_category(list(BUNDLES.values()), request), request.get("pageToken"))
    return {"bundles": list(listed), **rest}


def get_blueprints(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG001 - the same for every cloud
    """List the blueprints."""
    listed, rest = page(_of_category(list(BLUEPRINTS.values()), request), request.get("pageToken"))
    return {"blueprints": list(listed), **rest}


def _of_category(entries: list[dict[str, Any]], request: dict[str, Any]) -> list[dict[str, Any]]:
    """None of ours is of an application category (Lightsail for Research)."""
    return [] if "appCategory" in request else entries


def _region(region: dict[str, Any], *, with_zones: bool) -> dict[str, Any]:
    told = {key: value for key, value in region.items() if key != "zones"}
    if with_zones:
        told["availabilityZones"] = [{"zoneName": z, "state": "available"} for z in zones(region["name"])]
    return told
