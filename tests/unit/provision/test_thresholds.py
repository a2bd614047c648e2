from pathlib import Path

import pytest

from provision import thresholds
from wire.values import Invalid

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("name", ["jada.local.toml", "jada.prod.toml"])
def test_the_shipped_files_name_every_threshold(name):
    import tomllib  # noqa: PLC0415 - used here only

    given = tomllib.loads((ROOT / name).read_text(encoding="utf-8"))["audit"]
    assert set(given) == set(thresholds.Thresholds.__struct_fields__)


def test_the_defaults_are_those_of_the_shipped_file():
    assert thresholds.load(ROOT / "jada.prod.toml") == thresholds.Thresholds()


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
def test_a_wrong_threshold_is_refused_by_name(tmp_path, text, said):
    (tmp_path / "jada.toml").write_text(f"[audit]\n{text}\n")
    with pytest.raises(Invalid) as caught:
        thresholds.load(tmp_path / "jada.toml")
    assert said in str(caught.value)
