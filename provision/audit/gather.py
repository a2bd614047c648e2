"""Look at a host and at what Lightsail says of it: one login, a handful of calls. What fails is kept as not known."""

import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from provision.audit.observed import Observed, Point, Rest, Seen
from provision.audit.report import SPAN
from provision.errors import CommandError
from provision.progress import Progress
from provision.reach import aws_errors, firewall
from provision.reach import door as door_of_ours
from provision.reach.connection import Host
from provision.reach.inventory import Inventory
from provision.release import deploy as deployment
from provision.release import plan
from provision.release.deploy import Source
from provision.system.units import UNITS
from wire.types import Notifications, SessionRates, SyncRunList, Wellness
from wire.values import Invalid, read

T = TypeVar("T")
HOURS = 24
"""How far back the journal is read."""
GOOGLE = "port_sheet_token.json"
"""The secret whose age is wanted."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric of Lightsail: its published unit, and the seconds of its granularity."""

    unit: str
    period: int


METRICS: Mapping[str, Metric] = {
    "CPUUtilization": Metric("Percent", 300),
    "BurstCapacityPercentage": Metric("Percent", 300),
    "NetworkIn": Metric("Bytes", 300),
    "NetworkOut": Metric("Bytes", 300),
    "StatusCheckFailed": Metric("Count", 60),
    "StatusCheckFailed_Instance": Metric("Count", 60),
    "StatusCheckFailed_System": Metric("Count", 60),
}
"""What is asked for, each at the granularity that it has."""
TYPED: Mapping[str, Any] = {
    "sync_runs": SyncRunList,
    "rates": SessionRates,
    "wellness": Wellness,
    "notifications": Notifications,
}
"""Parts that are the queue's own answers, which another release may have written."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an audit looks: a stack's name and inventory, its Lightsail API, and what would be deployed to it, and the
    folder that says which doors commands of this machine hold open.
    """

    stack: str
    inventory: Inventory
    lightsail: Any
    source: Source
    held: Path


def observe(box: Host, place: Place, progress: Progress, now: datetime) -> Observed:
    """Observe a host over its open connection; `now` is an aware time."""
    with ThreadPoolExecutor(1, thread_name_prefix="lightsail") as beside:
        asked = beside.submit(_of_lightsail, place, box.name, now)
        with progress.step(f"{box.name}: look at the host"):
            parts = _parts(box, place)
        with progress.step(f"{box.name}: compare it with what a deploy would bring"):
            made = _seen(lambda: _plan(box, place))
        with progress.step(f"{box.name}: ask Lightsail for its metrics and its firewall"):
            instance, metrics, doors = asked.result()
    return Observed(
        host=box.name,
        stack=place.stack,
        at=now,
        hours=HOURS,
        instance=instance,
        metrics=metrics,
        doors=doors,
        held=_held(place, box.name, doors),
        cidrs=_cidrs(place.inventory),
        parts=parts,
        drift=made if made.unknown else Seen(_changes(made.value)),
        rest=made if made.unknown else Seen(Rest(tuple(made.value.paused), tuple(plan.pause_lines(made.value.paused)))),
    )


def _of_lightsail(place: Place, name: str, now: datetime) -> tuple[Seen, dict[str, Seen], Seen]:
    api = place.lightsail
    state = _seen(lambda: api.get_instance(instanceName=name)["instance"]["state"]["name"])
    metrics = {metric: _seen(partial(_metric, api, name, metric, now)) for metric in METRICS}
    doors = _seen(lambda: firewall.state_of(api.get_instance_port_states(instanceName=name)))
    return state, metrics, doors


def _metric(api: Any, name: str, metric: str, now: datetime) -> list[Point]:
    about = METRICS[metric]
    answer = api.get_instance_metric_data(
        instanceName=name,
        metricName=metric,
        period=about.period,
        startTime=now - SPAN,
        endTime=now,
        unit=about.unit,
        statistics=["Average", "Maximum"],
    )
    found = [Point(one["timestamp"].astimezone(UTC), one["average"], one["maximum"]) for one in answer["metricData"]]
    # The API gives them in no order.
    return sorted(found, key=lambda point: point.at)


def _held(place: Place, name: str, doors: Seen) -> tuple[str, ...]:
    found: firewall.State = () if doors.unknown is not None else doors.value
    sources = {source for door in found for source in door.sources}
    return tuple(sorted(source for source in sources if door_of_ours.is_held(place.held, name, source)))


def _cidrs(inventory: Inventory) -> Seen:
    if inventory.operator_cidrs is None:
        return Seen(unknown="the stack's output has no operator_cidrs: it was made by an earlier release (`pulumi up`)")
    return Seen(inventory.operator_cidrs)


def _parts(box: Host, place: Place) -> dict[str, Seen]:
    asked = {"queue": f"unix:{place.source.queue}", "units": list(UNITS), "hours": HOURS, "token": GOOGLE}
    try:
        answer = box.program("checkup", asked)
    except (CommandError, ValueError) as error:
        why = error.cause if isinstance(error, CommandError) else f"the host's answer can't be read: {error}"
        return {name: Seen(unknown=why) for name in ("host", "memory", "disk", "units", "failed", "journal", "tasks")}
    return {name: _part(name, seen) for name, seen in answer.items()}


def _part(name: str, answered: Mapping[str, Any]) -> Seen:
    if "seen" not in answered:
        return Seen(unknown=str(answered.get("unknown") or "the host did not say"))
    value = answered["seen"]
    if name not in TYPED:
        return Seen(value)
    try:
        return Seen(read(TYPED[name], json.dumps(value)))
    except Invalid as error:
        return Seen(unknown=f"the queue's answer can't be read: {error}")


def _plan(box: Host, place: Place) -> plan.Plan:
    # Who is notified has a row of its own; and its steps are part of this one.
    source = replace(place.source, tested=False)
    return deployment.prepare(box, source, Progress(aside=True)).plan


def _changes(made: plan.Plan) -> list[tuple[str, str]]:
    return [*plan.changes(made), *(("need", f"the secret {secret.name}") for secret in made.missing)]


def _seen(look: Callable[[], T]) -> Seen:
    """Return what was seen, or why it was not."""
    try:
        return Seen(look())
    except CommandError as error:
        return Seen(unknown=error.cause)
    except (ClientError, BotoCoreError) as error:
        return Seen(unknown=aws_errors.explained("the instance", error, local=False).cause)
