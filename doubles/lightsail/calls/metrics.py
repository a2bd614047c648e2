"""GetInstanceMetricData, from samples of the hosts taken every minute.

Granularity is the vendor's: status checks every 60 seconds, all else every 300, whatever shorter period is asked for.
"""

import itertools
from collections.abc import Sequence
from typing import Any

from botocore.utils import parse_to_aware_datetime

from doubles.lightsail.catalog import BUNDLES
from doubles.lightsail.cloud import Cloud
from doubles.lightsail.refusal import invalid, not_built
from doubles.lightsail.store import Sample

Point = tuple[float, float]
"""When and how much."""
UNITS = {
    "CPUUtilization": "Percent",
    "NetworkIn": "Bytes",
    "NetworkOut": "Bytes",
    "StatusCheckFailed": "Count",
    "StatusCheckFailed_Instance": "Count",
    "StatusCheckFailed_System": "Count",
}
SLOW_S = 300
"""How often all but the status checks are told."""


def get_instance_metric_data(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """Tell one metric; nothing for a unit the metric hasn't got, as the vendor does."""
    instance, metric, period = cloud.instance(request["instanceName"]), request["metricName"], request["period"]
    if metric not in UNITS:
        raise not_built(f"GetInstanceMetricData's {metric}")
    start, end = (parse_to_aware_datetime(request[name]).timestamp() for name in ("startTime", "endTime"))
    if start >= end:
        raise invalid("startTime must be before endTime.")
    if period % 60:
        raise invalid(f"period must be a multiple of 60, not {period}.")
    if request["unit"] != UNITS[metric]:
        return {"metricName": metric, "metricData": []}
    # The differences need the samples at the edges of the first and last window.
    samples = cloud.store.samples(instance.id, start - SLOW_S, min(end, cloud.clock()) + SLOW_S)
    cpus = int(BUNDLES[instance.bundle]["cpuCount"])
    points = [point for point in values(metric, samples, cpus) if start <= point[0] < end]
    return {"metricName": metric, "metricData": summed_up(points, period, UNITS[metric], request["statistics"])}


def values(metric: str, samples: Sequence[Sample], cpus: int) -> list[Point]:
    """The metric's own points: one a sample for status checks, one a full window of five minutes for the rest."""
    if metric.startswith("StatusCheckFailed"):
        return [(at, _failed(metric, host, system)) for at, _, _, _, host, system in samples]
    column = {"CPUUtilization": 1, "NetworkIn": 2, "NetworkOut": 3}[metric]
    windows: dict[int, list[Point]] = {}
    for before, after in itertools.pairwise(samples):
        if after[0] - before[0] < SLOW_S:  # a longer gap, and nobody knows what was in it
            # A counter that went back began anew with its container.
            grown = after[column] - before[column] if after[column] >= before[column] else after[column]
            windows.setdefault(before[0] // SLOW_S * SLOW_S, []).append((after[0] - before[0], grown))
    full = {at: parts for at, parts in windows.items() if samples[-1][0] >= at + SLOW_S}
    return [(at, _rate(parts, cpus) if column == 1 else sum(grown for _, grown in parts)) for at, parts in full.items()]


def summed_up(points: Sequence[Point], period: int, unit: str, statistics: Sequence[str]) -> list[dict[str, Any]]:
    """The points of each period as one, with the statistics asked for."""
    periods: dict[float, list[float]] = {}
    for at, value in points:
        periods.setdefault(at // period * period, []).append(value)
    return [{"timestamp": at, "unit": unit, **_statistics(found, statistics)} for at, found in sorted(periods.items())]


def _statistics(found: Sequence[float], wanted: Sequence[str]) -> dict[str, float]:
    known = {
        "Minimum": min(found),
        "Maximum": max(found),
        "Sum": sum(found),
        "Average": sum(found) / len(found),
        "SampleCount": float(len(found)),
    }
    return {name[0].lower() + name[1:]: float(known[name]) for name in wanted}


def _failed(metric: str, host: int, system: int) -> float:
    return float({"StatusCheckFailed_Instance": host, "StatusCheckFailed_System": system}.get(metric, host or system))


def _rate(parts: Sequence[Point], cpus: int) -> float:
    """Per cent of all processors over the seconds of these parts."""
    return 100 * sum(grown for _, grown in parts) / (sum(seconds for seconds, _ in parts) * cpus)
