"""A deploy and a rollback meet what a newer release left on the host."""

import json
from dataclasses import asdict, replace

import pytest

from provision.onhost import probe, tree
from provision.release import plan


@pytest.fixture
def newer(worker, bundle):
    """A host on which a newer release runs, with a unit and keys that this one does not know."""
    unit = next(iter(bundle.units))
    tomorrow = {
        "lock": "lock2",
        "units": {**bundle.units, "jada-tomorrow.service": bundle.units[unit]},
        "damaged": [],
        "signed": True,
    }
    running = {**worker.units, unit: {**worker.units[unit], "release": "tomorrow", "mood": "good"}}
    return replace(worker, current="tomorrow", releases={**worker.releases, "tomorrow": tomorrow},
                   venvs=(*worker.venvs, "lock2"), units=running)  # fmt: skip


def test_what_a_newer_probe_says_more_is_passed_over(newer):
    answer = json.loads(json.dumps({**asdict(newer), "tomorrow": {"a": [1]}}))
    assert plan.read_probe(answer) == newer


def test_going_back_switches_and_keeps_the_newer_release(newer, bundle):
    made = plan.make(newer, bundle, 3)
    assert made.switch
    assert "tomorrow" in made.keep
    assert (made.release, made.upload) == (bundle.id, False)


def test_a_newer_releases_manifest_is_read_on_the_host(tmp_path):
    release = tmp_path / "tomorrow"
    (release / "app").mkdir(parents=True)
    (release / "app" / "a.py").write_text("x = 1\n")
    digest = "bc4b6c31b40d5a5b3b3d3a0c5d7c7fa2c4bb6bf4f4f0b7d4c6f5e7d1b8a9c0d1"
    manifest = {"id": "tomorrow", "lock": "l", "units": {}, "files": {"app/a.py": digest}, "signed": True}
    (release / "manifest.json").write_text(json.dumps(manifest))
    assert probe._release_state(release) == {"lock": "l", "units": {}, "damaged": ["app/a.py", "venv"]}
    manifest["files"] = {}
    (release / "manifest.json").write_text(json.dumps(manifest))
    tree.finish_release(release, tmp_path / "venv")
    assert (release / "venv").is_symlink()
