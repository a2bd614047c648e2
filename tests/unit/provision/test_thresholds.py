import tomllib
from pathlib import Path

import pytest

from provision import thresholds
from wire import settings_file
from wire.values import Invalid

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("name", ["jada.local.toml", "jada.prod.toml"])
def test_the_shipped_files_name_every_threshold(name):
    given = tomllib.loads((ROOT / name).read_text(encoding="utf-8"))["audit"]
    assert set(given) == set(thresholds.Thresholds.__struct_fields__)


def test_the_defaults_are_those_of_the_shipped_file():
    assert settings_file.load(ROOT / "jada.prod.toml", "audit", thresholds.read) == thresholds.Thresholds()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("cpu_percent = [60, 20]", "audit.cpu_percent: [60, 20]: look from, bad from; the two must rise"),
        ("burst_percent = [20, 50]", "audit.burst_percent: [20, 50]: look from, bad from; the two must fall"),
        ("cpu = [1, 2]", "audit.cpu: unknown"),
        ("cpu_percent = 20", "audit.cpu_percent"),
        ("cpu_percent = [20]", "audit.cpu_percent"),
        ("turn_limit_percent = 130", "audit.turn_limit_percent: must be at most 100"),
    ],
)
def test_a_wrong_threshold_is_refused_by_name(text, said):
    with pytest.raises(Invalid) as caught:
        thresholds.read(tomllib.loads(text))
    assert said in str(caught.value)
