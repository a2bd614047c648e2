"""What Lightsail measures of an instance: samples of the host's counters, and from them the points of each metric.

Pure, from samples to points. What a sample is read from is the host's control group and its network.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

SAMPLE_S = 60
"""Between two samples: the vendor's finest granularity, that of its status checks."""
KEPT_S = 15 * 24 * 3600
"""How long samples are kept: what the vendor keeps at these granularities."""
MOST_POINTS = 1440
"""Points of one answer."""
STATISTICS = {
    "Average": "average",
    "Maximum": "maximum",
    "Minimum": "minimum",
    "Sum": "sum",
    "SampleCount": "sampleCount",
}
"""A statistic, and its member of a point."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A host's counters at a time: nanoseconds of CPU, bytes received and sent since its boot; whether its checks
    passed.
    """

    instance: str
    at: float
    cpu_ns: int
    received: int
    sent: int
    passed: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """What a bundle has: CPUs, and the share of them that it may use all the time, as percent."""

    cpus: int
    baseline: float


@dataclass(frozen=True, slots=True)
class Value:
    """What was measured at a time."""

    at: float
    value: float


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric: its published unit, its granularity in seconds, and how its values come from samples."""

    unit: str
    granularity: int
    values: Callable[[Sequence[Sample], Plan], Iterator[Value]]


def _cpu(samples: Sequence[Sample], plan: Plan) -> Iterator[Value]:
    for before, after in pairwise(samples):
        used = _grown(before.cpu_ns, after.cpu_ns) / 1e9
        yield Value(after.at, min(100.0, 100 * used / plan.cpus / (after.at - before.at)))


def _received(samples: Sequence[Sample], _plan: Plan) -> Iterator[Value]:
    yield from (Value(after.at, _grown(before.received, after.received)) for before, after in pairwise(samples))


def _sent(samples: Sequence[Sample], _plan: Plan) -> Iterator[Value]:
    yield from (Value(after.at, _grown(before.sent, after.sent)) for before, after in pairwise(samples))


def _grown(before: int, after: int) -> int:
    # A host that rebooted counts from nothing again.
    return after - before if after >= before else after


def _failed(samples: Sequence[Sample], _plan: Plan) -> Iterator[Value]:
    yield from (Value(sample.at, 0.0 if sample.passed else 1.0) for sample in samples)


def _never(samples: Sequence[Sample], _plan: Plan) -> Iterator[Value]:
    """What cannot happen here: this machine is no part of what is checked, and no metadata service answers."""
    yield from (Value(sample.at, 0.0) for sample in samples)


def _burst_seconds(samples: Sequence[Sample], plan: Plan) -> Iterator[Value]:
    """Seconds at full speed that are left: the share below the baseline adds to them, what is above takes from them.

    The vendor says this much, and that they end at a maximum; here that is a day's baseline, and the host begins full.
    """
    full = _full_seconds(plan)
    left = full
    for seen in _cpu(samples, plan):
        left = min(full, max(0.0, left + (plan.baseline - seen.value) / 100 * SAMPLE_S))
        yield Value(seen.at, left)


def _burst_percent(samples: Sequence[Sample], plan: Plan) -> Iterator[Value]:
    yield from (Value(seen.at, 100 * seen.value / _full_seconds(plan)) for seen in _burst_seconds(samples, plan))


def _full_seconds(plan: Plan) -> float:
    return 24 * 3600 * plan.baseline / 100


METRICS = {
    "CPUUtilization": Metric("Percent", 300, _cpu),
    "BurstCapacityPercentage": Metric("Percent", 300, _burst_percent),
    "BurstCapacityTime": Metric("Seconds", 300, _burst_seconds),
    "NetworkIn": Metric("Bytes", 300, _received),
    "NetworkOut": Metric("Bytes", 300, _sent),
    "StatusCheckFailed": Metric("Count", 60, _failed),
    "StatusCheckFailed_Instance": Metric("Count", 60, _failed),
    "StatusCheckFailed_System": Metric("Count", 60, _never),
    "MetadataNoToken": Metric("Count", 300, _never),
}
"""What is measured of an instance, as the vendor describes it. The disk's are not among them."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a call wants: points of `period` seconds from `start` up to `end`, with these statistics."""

    start: float
    end: float
    period: int
    statistics: tuple[str, ...]


def points(metric: Metric, samples: Sequence[Sample], plan: Plan, asked: Asked, now: float) -> list[dict[str, Any]]:
    """Return a metric's points; one is there once its time is over, and at the metric's own granularity at the finest.

    A shorter period than that gives no more points: each stands at the beginning of its own time.
    """
    width = max(asked.period, metric.granularity)
    found: dict[float, list[float]] = {}
    for seen in metric.values(samples, plan):
        begin = seen.at // width * width
        if asked.start <= begin < asked.end and begin + width <= now:
            found.setdefault(begin, []).append(seen.value)
    return [_point(begin, values, metric.unit, asked.statistics) for begin, values in sorted(found.items())]


def _point(begin: float, values: Sequence[float], unit: str, statistics: Sequence[str]) -> dict[str, Any]:
    counted = {
        "Average": sum(values) / len(values),
        "Maximum": max(values),
        "Minimum": min(values),
        "Sum": sum(values),
        "SampleCount": float(len(values)),
    }
    return {"timestamp": begin, "unit": unit, **{STATISTICS[name]: counted[name] for name in statistics}}
