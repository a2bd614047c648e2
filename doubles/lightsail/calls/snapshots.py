"""Snapshots of instances: the AutoSnapshot add-on, what it made, and those made by hand.

The record of one is kept, not the disk: CreateInstancesFromSnapshot is not built.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from doubles.lightsail.calls.answers import identity, location, operation, page, tags
from doubles.lightsail.calls.tags import read
from doubles.lightsail.catalog import BUNDLES
from doubles.lightsail.cloud import ACCOUNT, Cloud, new_id
from doubles.lightsail.errors import failure, invalid, not_built
from doubles.lightsail.records import Instance, Snapshot

KIND = "AutoSnapshot"
KEPT = 7
"""Automatic snapshots that stay, as the vendor's guide says; the oldest goes for the next."""
PENDING_S = 2.0
"""For how long one by hand is pending: the vendor's take minutes."""


def enable_add_on(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """Let snapshots be made every day at an hour."""
    instance, asked = _settled(cloud, request["resourceName"]), request["addOnRequest"]
    _require_kind(asked["addOnType"])
    at = asked.get("autoSnapshotAddOnRequest", {}).get("snapshotTimeOfDay") or "06:00"
    if not at.endswith(":00"):
        raise invalid(f"snapshotTimeOfDay must be a whole hour, HH:00, not {at}.")
    if instance.snapshot_time:
        raise invalid(f"The add-on {KIND} is enabled already on {instance.name}; disable it first.")
    cloud.store.put(replace(instance, snapshot_time=at, snapshots_since=cloud.clock()))
    return {"operations": [operation(cloud, cloud.record_operation("EnableAddOn", instance, "Succeeded", KIND))]}


def disable_add_on(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """Let no more be made."""
    instance = _settled(cloud, request["resourceName"])
    _require_kind(request["addOnType"])
    cloud.store.put(replace(instance, snapshot_time=""))
    return {"operations": [operation(cloud, cloud.record_operation("DisableAddOn", instance, "Succeeded", KIND))]}


def get_auto_snapshots(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """List what the add-on made, the latest first."""
    instance = cloud.instance(request["resourceName"])
    made = [
        {"date": f"{at:%Y-%m-%d}", "createdAt": at.timestamp(), "status": "Success", "fromAttachedDisks": []}
        for at in _daily(instance, cloud.clock())
    ]
    return {"resourceName": instance.name, "resourceType": "Instance", "autoSnapshots": made[::-1][:KEPT]}


def create_instance_snapshot(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """Make one by hand; it is pending for a moment."""
    instance = _settled(cloud, request["instanceName"])
    cloud.require_free_name(name := request["instanceSnapshotName"])
    made = Snapshot(
        name=name,
        id=new_id(),
        created=cloud.clock(),
        zone=instance.zone,
        instance=instance.name,
        arn=identity(cloud, instance)["arn"],
        blueprint=instance.blueprint,
        bundle=instance.bundle,
        size=int(BUNDLES[instance.bundle]["diskSizeInGb"]),
        tags=read(request.get("tags", ())),
    )
    cloud.store.put(made)
    noted = cloud.record_operation("CreateInstanceSnapshot", instance, "Succeeded", name)
    return {"operations": [operation(cloud, noted)]}


def get_instance_snapshots(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """List those made by hand, page by page."""
    listed, rest = page(cloud.store.all(Snapshot), request.get("pageToken"))
    return {"instanceSnapshots": [_described(cloud, one) for one in listed], **rest}


def add_ons(instance: Instance) -> list[dict[str, str]]:
    """Describe an instance's add-ons."""
    at = instance.snapshot_time
    return [{"name": KIND, "status": "Enabled", "snapshotTimeOfDay": at, "nextSnapshotTimeOfDay": at}] if at else []


def _daily(instance: Instance, now: float) -> Iterator[datetime]:
    """When the add-on made one, since it was enabled."""
    if not instance.snapshot_time:
        return
    since, until = (datetime.fromtimestamp(at, UTC) for at in (instance.snapshots_since, now))
    at = since.replace(hour=int(instance.snapshot_time[:2]), minute=0, second=0, microsecond=0)
    while at <= until:
        if at >= since:
            yield at
        at += timedelta(days=1)


def _described(cloud: Cloud, one: Snapshot) -> dict[str, Any]:
    is_pending = cloud.clock() - one.created < PENDING_S
    return {
        "name": one.name,
        "arn": f"arn:aws:lightsail:{cloud.region}:{ACCOUNT}:InstanceSnapshot/{one.id}",
        "supportCode": f"{ACCOUNT}/{one.id}",
        "createdAt": one.created,
        "location": location(cloud, one.zone),
        "resourceType": "InstanceSnapshot",
        "tags": tags(one.tags),
        "state": "pending" if is_pending else "available",
        "progress": "0%" if is_pending else "100%",
        "fromAttachedDisks": [],
        "fromInstanceName": one.instance,
        "fromInstanceArn": one.arn,
        "fromBlueprintId": one.blueprint,
        "fromBundleId": one.bundle,
        "isFromAutoSnapshot": False,
        "sizeInGb": one.size,
    }


def _settled(cloud: Cloud, name: str) -> Instance:
    instance = cloud.instance(name)
    if instance.job:
        raise failure(f"Instance {name} is {instance.state}: wait until it is done.")
    return instance


def _require_kind(kind: str) -> None:
    if kind != KIND:
        raise not_built(f"The add-on {kind}")
