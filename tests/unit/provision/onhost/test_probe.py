import os
import shutil

import pytest

from provision import desired
from provision.onhost import probe, runs, whole
from provision.release import plan

pytestmark = pytest.mark.process


def test_the_system_is_named_as_lightsails_blueprints_are():
    asked = {"looks": {}, "as_found": {}, "unseen": [], "ours": [], "units": []}
    name, version = probe.main(asked)["os"].split("_", 1)
    assert name.islower()
    assert version[0].isdigit()


def test_a_plan_reads_what_the_probe_says():
    seen = plan.read_probe(probe.main(plan.probe_request()))
    assert seen.current is None
    asked = desired.request()
    assert {look: [*names] for look, names in seen.found.items()} == {**asked["looks"], **asked["as_found"]}


def test_a_release_that_an_installer_removes_meanwhile_is_left_out(tmp_path, monkeypatch):
    walk, names = os.walk, ("r1", "r2")
    for name in names:
        made = tmp_path / name / "manifest.json"
        made.parent.mkdir()
        made.write_text('{"lock": "a", "units": {}, "files": {}}')
        (tmp_path / name / whole.SEAL).write_bytes(whole.seal(tmp_path / name))

    def late(folder):
        yield from list(walk(folder))
        if folder.name == "r1":
            shutil.rmtree(folder)

    monkeypatch.setattr(os, "walk", late)
    assert probe.releases(tmp_path).keys() == {"r2"}


def test_a_release_that_is_proven_meanwhile_does_not_seem_to_be_left_unproven(tmp_path):
    record = runs.Record(tmp_path)
    record.begin("r1", "run1", {"restart": [], "healthy": [], "health": {}})

    def ends_now():
        record.prove("r1")
        record.end()
        return False

    assert probe.standing(record, ends_now) == {"deploying": False, "pending": None, "proven": ["r1"]}
