"""What the local Lightsail measures, from samples to points."""

import re

import pytest

from doubles.lightsail import meter
from doubles.lightsail.meter import METRICS, Asked, Plan, Sample, points

PLAN = Plan(cpus=2, baseline=10.0)
BEGIN = 1_778_700_000.0 // 300 * 300


def samples(count, busy=0.0, passed=True):
    """One a minute of a host that keeps so many CPUs busy."""
    return [
        Sample("box", BEGIN + 60 * n, int(busy * 60e9) * n, 1000 * n, 500 * n, passed) for n in range(count)
    ]  # fmt: skip


def asked(minutes, period=300, statistics=("Average", "Maximum")):
    return Asked(BEGIN, BEGIN + 60 * minutes, period, statistics)


def measured(name, found, minutes=60, **about):
    return points(METRICS[name], found, PLAN, asked(minutes, **about), BEGIN + 60 * minutes)


def test_the_cpu_is_the_share_of_all_cpus():
    assert {point["average"] for point in measured("CPUUtilization", samples(60, busy=1.0))} == {50.0}


def test_each_metric_has_its_own_granularity_at_the_finest():
    assert len(measured("CPUUtilization", samples(61), period=60)) == 12
    assert len(measured("StatusCheckFailed", samples(60), period=60)) == 60
    assert len(measured("StatusCheckFailed", samples(60), period=300)) == 12


def test_a_point_is_there_once_its_time_is_over():
    assert measured("CPUUtilization", samples(4), minutes=4) == []
    assert len(measured("CPUUtilization", samples(7), minutes=7)) == 1


def test_only_what_was_asked_for_is_answered():
    (first, *_) = measured("NetworkIn", samples(61), statistics=("Sum", "SampleCount", "Minimum"))
    assert first == {"timestamp": BEGIN, "unit": "Bytes", "sum": 4000.0, "sampleCount": 4.0, "minimum": 1000.0}


def test_a_host_that_rebooted_counts_from_nothing_again():
    before, after = samples(3), [Sample("box", BEGIN + 180, 0, 70, 0, True)]
    assert measured("NetworkIn", [*before, *after], minutes=5)[0]["maximum"] == 1000.0
    assert all(point["average"] >= 0 for point in measured("NetworkIn", [*before, *after], minutes=5))


def test_a_check_that_failed_is_counted():
    assert {point["maximum"] for point in measured("StatusCheckFailed", samples(5, passed=False), 5, period=60)} == {
        1.0
    }
    assert {point["maximum"] for point in measured("StatusCheckFailed_System", samples(5, passed=False), 5)} == {0.0}


@pytest.mark.parametrize(("busy", "falls"), [(2.0, True), (0.2, False), (0.0, False)])
def test_burst_capacity_is_used_up_above_the_baseline_only(busy, falls):
    found = [point["average"] for point in measured("BurstCapacityPercentage", samples(61, busy=busy))]
    assert (found[-1] < found[0]) is falls
    assert max(found) <= 100.0


def test_burst_capacity_ends_at_nothing():
    found = measured("BurstCapacityTime", samples(1000, busy=2.0), minutes=999)
    assert found[-1]["average"] == 0.0


def test_what_is_measured_is_what_the_vendor_publishes_by_name_and_unit():
    from doubles.lightsail.contract import operation  # noqa: PLC0415 - reads botocore's model

    shape = operation("Lightsail_20161128.GetInstanceMetricData").input_shape
    documented = re.sub(r"<[^>]+>", "", shape.members["metricName"].documentation)
    assert set(METRICS) <= set(shape.members["metricName"].enum)
    for name, metric in METRICS.items():
        published = re.search(rf"\b{name}\s+- .*?published unit is (\w+)", documented, re.DOTALL)
        assert metric.unit == published[1], name
    assert meter.SAMPLE_S == 60
