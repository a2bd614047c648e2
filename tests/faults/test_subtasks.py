"""One run of the sweep (`make faults` has more): a family at work beside kills of dashboard and daemon."""

import pytest

from tests.faults import subtasks

pytestmark = pytest.mark.process


def test_a_parent_goes_on_with_the_results_of_its_subtasks_whatever_is_killed():
    found, kills = subtasks.run(1)
    assert found == []
    assert len(kills) >= 5
