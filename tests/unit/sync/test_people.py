"""People act between every two requests of the sync, runs are killed, answers are lost: what must hold all the same.

No cell of theirs is lost without its value being told, no booking is lost or there twice when a run says "in step", and
what we put into a wrong place is put right or told. `make faults` plays thousands of them.
"""

from dataclasses import replace

from hypothesis import HealthCheck, example, given, settings

from tests.people.scenario import Scenario, fleets, play, scenarios

SOME = settings(max_examples=60, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))

LATE_INTO_MOVED_COLUMNS = Scenario(
    bookings=5,
    changed=frozenset(),
    new=2,
    gone=0,
    acts=((4, ("delete copies", None, None)), (2, ("move columns", 0, 8))),
    fates=((3, "kill late 1"), (4, "lose before")),
)
"""A write comes after its run was killed, into columns that were moved, and its copy is deleted before the next run."""
CELLS_INTO_MOVED_COLUMNS = replace(LATE_INTO_MOVED_COLUMNS, changed=frozenset({2}), new=0)
CELLS_INTO_MOVED_ROWS = replace(
    CELLS_INTO_MOVED_COLUMNS,
    acts=((2, ("move rows", 1, 4)), (4, ("delete copies", None, None))),
)
CELLS_OVER_A_NOTE = replace(
    CELLS_INTO_MOVED_COLUMNS,
    acts=((2, ("move columns", 5, 2)), (3, ("delete copies", None, None))),
    fates=((2, "kill after"),),
)
"""The same without lateness: it was killed before it could judge its write."""
TYPED_OVER = Scenario(
    bookings=5, changed=frozenset({2, 4}), new=2, gone=0, acts=((2, ("type", 2, 3)),), fates=((3, "kill after"),)
)
"""What a user types just before our write comes over it; killed as the copy is deleted."""
COLUMN_INSERTED = replace(TYPED_OVER, acts=((2, ("insert columns", 2, 1)),), fates=())
"""Our cells come into the column beside theirs."""
ROW_INTO_MOVED_COLUMNS = replace(TYPED_OVER, changed=frozenset(), new=1, acts=((2, ("move columns", 0, 8)),), fates=())


@given(scenarios())
@example(TYPED_OVER)
@example(COLUMN_INSERTED)
@example(ROW_INTO_MOVED_COLUMNS)
@example(LATE_INTO_MOVED_COLUMNS)
@example(CELLS_INTO_MOVED_COLUMNS)
@example(CELLS_INTO_MOVED_ROWS)
@example(CELLS_OVER_A_NOTE)
@SOME
def test_whatever_people_do_during_a_run_nothing_is_lost_unreported(scenario):
    played = play(scenario)
    assert played.violations == []


@given(fleets())
@example(replace(TYPED_OVER, fates=((2, "stands still"),), hosts=(0, 1)))
@example(replace(COLUMN_INSERTED, acts=((3, ("insert columns", 2, 1)),), fates=((2, "stands still"),), hosts=(0, 1)))
@settings(SOME, max_examples=30)
def test_whichever_host_has_the_sync_nothing_is_lost_unreported(scenario):
    """Hosts are killed at any step, stand still, or find the store away; others take over."""
    played = play(scenario)
    assert played.violations == []
