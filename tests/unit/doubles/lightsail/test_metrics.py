import pytest

from doubles.lightsail.calls.metrics import summed_up, values


def sample(at, cpu_s=0.0, received=0, sent=0, host=0, system=0):
    return at, cpu_s, received, sent, host, system


def test_processor_use_is_per_cent_of_all_processors_over_a_full_window():
    samples = [sample(60 * n, cpu_s=6.0 * n) for n in range(6)]
    assert values("CPUUtilization", samples, cpus=2) == [(0, 5.0)]


def test_a_window_that_is_not_over_is_not_told():
    samples = [sample(60 * n, received=100 * n) for n in range(9)]
    assert values("NetworkIn", samples, cpus=2) == [(0, 500)]


def test_traffic_goes_both_ways():
    samples = [sample(60 * n, received=10 * n, sent=20 * n) for n in range(6)]
    assert values("NetworkOut", samples, cpus=2) == [(0, 100)]


def test_a_counter_that_began_anew_counts_from_nothing():
    samples = [sample(0, received=1000), sample(60, received=1100), sample(300, received=50)]
    assert values("NetworkIn", samples, cpus=2) == [(0, 150)]


def test_what_happened_in_a_long_gap_is_not_made_up():
    assert values("NetworkIn", [sample(0), sample(3600, received=9)], cpus=2) == []


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("StatusCheckFailed", [(0, 0.0), (60, 1.0), (120, 1.0)]),
        ("StatusCheckFailed_Instance", [(0, 0.0), (60, 1.0), (120, 0.0)]),
        ("StatusCheckFailed_System", [(0, 0.0), (60, 0.0), (120, 1.0)]),
    ],
)
def test_status_checks_are_told_every_minute(metric, expected):
    samples = [sample(0), sample(60, host=1), sample(120, system=1)]
    assert values(metric, samples, cpus=2) == expected


def test_a_period_sums_up_its_points_with_the_statistics_asked_for():
    points = [(0, 1.0), (300, 3.0), (600, 8.0)]
    told = summed_up(points, 600, "Percent", ["Average", "Maximum", "Minimum", "Sum", "SampleCount"])
    first = {"average": 2.0, "maximum": 3.0, "minimum": 1.0, "sum": 4.0, "sampleCount": 2.0}
    assert told[0] == {"timestamp": 0, "unit": "Percent", **first}
    assert [point["timestamp"] for point in summed_up(points, 60, "Percent", ["Sum"])] == [0, 300, 600]
