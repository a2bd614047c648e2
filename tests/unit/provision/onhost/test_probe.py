import pytest

from provision import desired
from provision.onhost import probe
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
