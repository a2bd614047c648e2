"""People act between every two requests of the sync, runs are killed, answers are lost: what must hold all the same.

No cell of theirs is lost without its value being told, no booking is lost or there twice when a run says "in step", and
what we put into a wrong place is put right or told. `make faults` plays more of them.
"""

from hypothesis import HealthCheck, given, settings

from tests.people.scenario import fleets, play, scenarios

SOME = settings(max_examples=200, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))


@given(scenarios())
@SOME
def test_whatever_people_do_during_a_run_nothing_is_lost_unreported(scenario):
    played = play(scenario)
    assert played.violations == []


@given(fleets())
@settings(SOME, max_examples=60)
def test_whichever_host_has_the_sync_nothing_is_lost_unreported(scenario):
    """Hosts are killed at any step, stand still, or find the store away; others take over."""
    played = play(scenario)
    assert played.violations == []
