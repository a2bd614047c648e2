"""Snapshots of an instance at Lightsail: listed with what they cost, and one made by hand."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from provision.errors import CommandError
from provision.reach import aws_errors

USD_PER_GB = 0.05
"""A month's price of what snapshots hold, from secondary sources: correct it here."""
LIMIT_S, PAUSE_S = 3600.0, 5.0
"""How long a snapshot may take, and how often that is looked at."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A snapshot: its name (a day for an automatic one), when it was made, its state, and the gigabytes of the disk; an
    automatic one does not say how large it is.
    """

    name: str
    made_at: str
    state: str
    gigabytes: int | None
    automatic: bool

    @property
    def most_usd(self) -> float | None:
        """What it costs a month at most: as if all of the disk were in it, and nothing shared with another."""
        return None if self.gigabytes is None else self.gigabytes * USD_PER_GB


@dataclass(frozen=True, slots=True)
class Snapshots:
    """An instance's snapshots, the latest first, and at which hour they are made by themselves; "" for never."""

    daily_at: str
    held: tuple[Snapshot, ...]


def listed(lightsail: Any, name: str) -> Snapshots:
    """Return an instance's snapshots. Raises `CommandError`."""
    try:
        instance = lightsail.get_instance(instanceName=name)["instance"]
        automatic = lightsail.get_auto_snapshots(resourceName=name)["autoSnapshots"]
        by_hand = [each for each in _all_by_hand(lightsail) if each.get("fromInstanceName") == name]
    except (ClientError, BotoCoreError) as error:
        raise aws_errors.explained(name, error, local=_is_local(lightsail)) from error
    hours = [add["snapshotTimeOfDay"] for add in instance.get("addOns", []) if _makes_snapshots(add)]
    held = [*map(_automatic, automatic), *map(_by_hand, by_hand)]
    latest_first = sorted(held, key=lambda snapshot: snapshot.made_at, reverse=True)
    return Snapshots(hours[0] if hours else "", tuple(latest_first))


def make(
    lightsail: Any,
    name: str,
    snapshot: str,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Snapshot:
    """Make one and wait until it is available. Raises `CommandError`."""
    try:
        tags = lightsail.get_instance(instanceName=name)["instance"].get("tags", [])
        lightsail.create_instance_snapshot(instanceSnapshotName=snapshot, instanceName=name, tags=tags)
        until = clock() + LIMIT_S
        while clock() < until:
            found = next((each for each in _all_by_hand(lightsail) if each["name"] == snapshot), None)
            if found is None or found["state"] == "error":
                raise CommandError(f"{name}: the snapshot {snapshot} failed", "Lightsail's console says why; try again")
            if found["state"] == "available":
                return _by_hand(found)
            sleep(PAUSE_S)
    except (ClientError, BotoCoreError) as error:
        raise aws_errors.explained(name, error, local=_is_local(lightsail)) from error
    raise CommandError(
        f"{name}: the snapshot {snapshot} is still pending", "it goes on by itself: `fab snapshots` says how it stands"
    )


def _all_by_hand(lightsail: Any) -> Iterator[dict[str, Any]]:
    token: dict[str, str] = {}
    while True:
        answer = lightsail.get_instance_snapshots(**token)
        yield from answer["instanceSnapshots"]
        if not answer.get("nextPageToken"):
            return
        token = {"pageToken": answer["nextPageToken"]}


def _makes_snapshots(add_on: dict[str, Any]) -> bool:
    return bool(add_on.get("name") == "AutoSnapshot" and add_on.get("status") == "Enabled")


def _automatic(found: dict[str, Any]) -> Snapshot:
    return Snapshot(found["date"], _stamp(found["createdAt"]), found["status"], None, automatic=True)


def _by_hand(found: dict[str, Any]) -> Snapshot:
    size = found.get("sizeInGb")
    return Snapshot(found["name"], _stamp(found["createdAt"]), found["state"], size, automatic=False)


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def _is_local(lightsail: Any) -> bool:
    return not str(lightsail.meta.endpoint_url).endswith(".amazonaws.com")
