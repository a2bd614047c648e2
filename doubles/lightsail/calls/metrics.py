"""GetInstanceMetricData: what was measured of an instance, from samples of its host."""

from datetime import datetime
from typing import Any

from doubles.lightsail import meter
from doubles.lightsail.catalog import BUNDLES
from doubles.lightsail.cloud import Cloud
from doubles.lightsail.errors import invalid, not_built


def get_instance_metric_data(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """Return a metric's points; in another unit than the published one there are none, as with the vendor."""
    instance, name = cloud.instance(request["instanceName"]), request["metricName"]
    metric = meter.METRICS.get(name)
    if metric is None:
        raise not_built(f"GetInstanceMetricData's metric {name}")
    asked = _asked(request)
    bundle = BUNDLES[instance.bundle]
    plan = meter.Plan(int(bundle["cpuCount"]), float(bundle["baselinePercent"]))
    found: list[dict[str, Any]] = []
    if request["unit"] == metric.unit:
        found = meter.points(metric, cloud.store.samples(instance.name), plan, asked, cloud.clock())
    return {"metricName": name, "metricData": found}


def _asked(request: dict[str, Any]) -> meter.Asked:
    start, end, period = _time(request["startTime"]), _time(request["endTime"]), request["period"]
    if start >= end:
        raise invalid("startTime must be before endTime.")
    if period % 60:
        raise invalid(f"period must be a multiple of 60, not {period}.")
    if (end - start) / period > meter.MOST_POINTS:
        raise invalid(
            f"That would be more than {meter.MOST_POINTS} points: ask for a longer period, or a shorter time."
        )
    if not request["statistics"]:
        raise invalid("statistics must name at least one.")
    return meter.Asked(start, end, period, tuple(dict.fromkeys(request["statistics"])))


def _time(given: float | str) -> float:
    """Read a time as JSON 1.1 has it: seconds since 1970."""
    return datetime.fromisoformat(given).timestamp() if isinstance(given, str) else float(given)
