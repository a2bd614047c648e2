import pytest

from infra import settings as infra
from provision.errors import CommandError
from provision.release import memory


def test_each_of_our_units_has_a_limit():
    assert {"jada-agent.service", "jada-dashboard.service", "jada-notify.service", "port-sheet-sync.service"} <= set(
        memory.limits()
    )


def test_the_default_plan_holds_our_units_and_nano_does_not():
    assert "1024 MB" in memory.require_room(memory.DEFAULT_PLAN, memory.limits())
    with pytest.raises(CommandError, match="nano_3_0 has 512 MB; the largest unit, jada-agent"):
        memory.require_room("nano_3_0", memory.limits())


def test_a_plan_that_is_not_known_is_no_plan_that_fits():
    with pytest.raises(CommandError, match="no plan that is known"):
        memory.require_room("giant_9_0", memory.limits())


def test_the_plans_and_the_default_are_infras():
    chosen = infra.read("prod", {"jada:region": "eu-west-1", "jada:operator-cidrs": '["8.8.4.4/32"]'}, {})
    assert chosen.bundle == memory.DEFAULT_PLAN
    assert all(f"|{plan}|" in f"|{infra.BUNDLE.split('(')[1].split(')')[0]}|" for plan in memory.PLANS)
