import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from sync.plan import DUPLICATE, LIVE, REMOVED, Change, Conflict, Plan, Policy, Row, diff, joined, lost, our_rows

POLICY = Policy(arrival=1)
CALM = ("B1", "2026-05-13", 80)


def row(number, *cells, state=LIVE):
    return Row(number, str(cells[0]), (*cells, state))


def base(*rows):
    return {cells[0]: (*cells, LIVE) for cells in rows}


def source(*rows):
    return {cells[0]: cells for cells in rows}


def test_nothing_is_written_when_the_sheet_says_what_the_source_says():
    assert not diff(source(CALM), [row(2, *CALM)], {}, POLICY).writes


def test_a_booking_that_the_sheet_lacks_is_added():
    assert diff(source(CALM), [], {}, POLICY).added == {"B1": (*CALM, LIVE)}


def test_what_changed_in_the_source_is_written_and_nothing_else_of_the_row():
    plan = diff(source(("B1", "2026-05-13", 90)), [row(2, *CALM)], base(CALM), POLICY)
    assert plan.changes == (Change(2, "B1", {2: 90}),)


def test_an_edit_by_a_person_is_kept():
    plan = diff(source(CALM), [row(2, "B1", "2026-05-13", 75)], base(CALM), POLICY)
    assert (plan.writes, plan.edited, plan.conflicts) == (False, ("B1",), ())


def test_an_edit_by_a_person_is_restored_where_the_setting_says_so():
    policy = replace(POLICY, restore_edits=True)
    plan = diff(source(CALM), [row(2, "B1", "2026-05-13", 75)], base(CALM), policy)
    assert plan.changes == (Change(2, "B1", {2: 80}),)


def test_a_cell_that_both_sides_changed_is_a_conflict_which_the_source_wins():
    plan = diff(source(("B1", "2026-05-13", 90)), [row(2, "B1", "2026-05-13", 75)], base(CALM), POLICY)
    assert plan.changes == (Change(2, "B1", {2: 90}),)
    assert plan.conflicts == (Conflict("B1", 2, 90, 75, written=True),)


def test_a_conflict_that_the_sheet_wins_is_reported_once():
    policy, edited = replace(POLICY, sheet_wins=True), [row(2, "B1", "2026-05-13", 75)]
    first = diff(source(("B1", "2026-05-13", 90)), edited, base(CALM), policy)
    again = diff(source(("B1", "2026-05-13", 90)), edited, first.settled, policy)
    assert [(len(plan.conflicts), plan.writes) for plan in (first, again)] == [(1, False), (0, False)]


def test_without_a_base_a_blank_cell_is_filled_and_another_one_is_a_conflict():
    plan = diff(source(CALM), [row(2, "B1", "", 75)], {}, POLICY)
    assert plan.changes == (Change(2, "B1", {1: "2026-05-13", 2: 80}),)
    assert [c.column for c in plan.conflicts] == [2]


def test_a_booking_that_the_source_lost_is_marked_and_keeps_its_cells():
    plan = diff({}, [row(2, *CALM)], base(CALM), POLICY)
    assert (plan.changes, plan.removed) == ((Change(2, "B1", {3: REMOVED}),), ("B1",))
    assert plan.settled == {"B1": (*CALM, REMOVED)}


def test_a_removed_booking_that_comes_back_is_alive_again():
    plan = diff(source(CALM), [row(2, *CALM, state=REMOVED)], {"B1": (*CALM, REMOVED)}, POLICY)
    assert plan.changes == (Change(2, "B1", {3: LIVE}),)


def test_a_row_is_known_as_ours_by_its_mark_when_the_base_is_lost():
    assert diff({}, [row(2, *CALM)], {}, POLICY).removed == ("B1",)


def test_a_row_that_a_person_made_is_left_alone():
    plan = diff({}, [row(2, "note", "", 3, state="")], {}, POLICY)
    assert (plan.writes, plan.settled) == (False, {})


def test_a_booking_outside_the_window_is_neither_removed_nor_forgotten():
    policy = replace(POLICY, window=("2026-06-01", ""))
    plan = diff({}, [row(2, *CALM)], base(CALM), policy)
    assert (plan.writes, plan.settled) == (False, base(CALM))


def test_whether_a_row_is_in_the_window_is_said_by_what_was_last_agreed_and_not_by_what_a_user_typed():
    policy = replace(POLICY, window=("2026-05-10", ""))
    plan = diff({}, [row(2, "B1", "2026-05-01", 75)], base(CALM), policy)
    assert (plan.removed, plan.settled) == (("B1",), {"B1": (*CALM, REMOVED)})
    assert not diff({}, [row(2, *CALM)], base(("B1", "2026-05-01", 80)), policy).writes


def test_a_booking_in_the_window_that_neither_side_has_is_forgotten():
    assert diff({}, [], base(CALM), replace(POLICY, window=("2026-05-10", ""))).settled == {}


@pytest.mark.parametrize(
    ("arrival", "inside"), [("2026-05-31", False), ("2026-06-01", True), ("2026-06-30", True), ("2026-07-01", False)]
)
def test_both_ends_of_the_window_belong_to_it(arrival, inside):
    assert Policy(arrival=1, window=("2026-06-01", "2026-06-30")).covers(arrival) is inside


def test_a_row_that_someone_deleted_is_put_back():
    plan = diff(source(CALM), [], base(CALM), POLICY)
    assert (list(plan.added), plan.put_back) == (["B1"], ("B1",))


def test_a_row_that_is_there_or_was_never_there_is_not_put_back():
    plan = diff(source(CALM, ("B2", "2026-05-14", 1)), [row(2, *CALM)], base(CALM), POLICY)
    assert (list(plan.added), plan.put_back) == (["B2"], ())


def test_a_booking_that_source_and_sheet_both_lack_is_forgotten():
    assert diff({}, [], base(CALM), POLICY).settled == {}


def test_a_row_of_another_width_than_the_columns_is_refused():
    with pytest.raises(ValueError, match="shorter"):
        diff(source(CALM), [row(2, "B1", "2026-05-13")], base(CALM), POLICY)


def test_a_second_row_of_a_booking_is_marked_as_its_duplicate():
    plan = diff(source(CALM), [row(2, *CALM), row(5, *CALM)], base(CALM), POLICY)
    assert (plan.changes, plan.duplicates) == ((Change(5, "B1", {3: DUPLICATE}),), ("B1",))


def test_a_second_row_of_a_booking_that_is_gone_is_its_duplicate_too():
    plan = diff({}, [row(2, *CALM), row(5, *CALM)], base(CALM), POLICY)
    assert plan.changes == (Change(2, "B1", {3: REMOVED}), Change(5, "B1", {3: DUPLICATE}))


def test_rows_of_users_that_share_a_key_are_no_duplicates():
    plan = diff({}, [row(2, "note", "", 3, state=""), row(3, "note", "", 4, state="")], {}, POLICY)
    assert (plan.writes, plan.duplicates) == (False, ())


def test_the_marked_row_stays_the_duplicate_when_people_sort_the_sheet():
    assert not diff(source(CALM), [row(2, *CALM, state=DUPLICATE), row(5, *CALM)], base(CALM), POLICY).writes


def test_a_duplicate_becomes_the_row_when_the_other_one_is_deleted():
    plan = diff(source(CALM), [row(2, *CALM, state=DUPLICATE)], base(CALM), POLICY)
    assert plan.changes == (Change(2, "B1", {3: LIVE}),)


def test_the_state_is_written_whatever_a_person_made_of_it():
    plan = diff(source(CALM), [row(2, *CALM, state="done")], base(CALM), POLICY)
    assert (plan.changes, plan.conflicts, plan.edited) == ((Change(2, "B1", {3: LIVE}),), (), ())


def test_a_column_that_is_new_to_us_is_filled_without_a_conflict():
    plan = diff(source(CALM), [row(2, "B1", "2026-05-13", "")], {"B1": ("B1", "2026-05-13", None, LIVE)}, POLICY)
    assert (plan.changes, plan.conflicts) == ((Change(2, "B1", {2: 80}),), ())


def test_lost_bookings_are_counted_by_base_and_by_mark():
    sheet = [row(2, *CALM), row(3, "B2", "2026-05-14", 1)]
    known = base(CALM, ("B3", "2026-05-15", 1))
    assert lost({}, diff({}, sheet, known, POLICY), known, POLICY) == 3


@pytest.mark.parametrize("arrival", ["9/4/2026", "soon", "", "2026-6-1", 46000])
def test_a_row_whose_arrival_users_spelled_otherwise_is_not_gone_where_the_window_has_an_end(arrival):
    """As text, 9/4/2026 is after 2026-05-10; without the memory nothing else says when its guest comes."""
    shown = [row(2, "B1", arrival, 80)]
    assert diff({}, shown, {}, replace(POLICY, window=("2026-05-10", ""))).removed == ()
    assert diff({}, shown, {}, POLICY).removed == ("B1",)


def test_neither_a_removed_booking_nor_one_outside_the_window_is_lost():
    known = {"B1": (*CALM, REMOVED), "B2": ("B2", "2026-05-01", 1, LIVE), "B3": ("B3", "2026-05-14", 1, LIVE)}
    policy = replace(POLICY, window=("2026-05-10", ""))
    assert lost({}, diff({}, [], known, policy), known, policy) == 1


def test_the_plans_of_one_run_come_to_one():
    first = diff(
        source(CALM, ("B2", "2026-05-14", 9)), [row(2, "B1", "2026-05-13", 70)], base(("B1", "2026-05-13", 70)), POLICY
    )
    second = diff(source(CALM), [row(2, "B1", "2026-05-13", 75)], base(CALM), POLICY)
    both = joined([first, second])
    assert (list(both.added), both.changes, both.edited) == (["B2"], (Change(0, "B1", {2: 80}),), ("B1",))


def test_what_the_plans_of_a_run_say_is_said_once_and_the_last_base_holds():
    conflict, other = Conflict("B1", 2, 90, 75, written=True), Conflict("B9", 2, 1, 2, written=False)
    first = Plan({}, (), base(CALM), ("B1", "B2"), ("B3",), ("B4",), ("B5",), (conflict,))
    second = Plan({}, (), {}, ("B2",), ("B3", "B6"), ("B4", "B7"), ("B8",), (conflict, other))
    third = Plan({}, (), base(CALM, ("B2", "", 1)))
    both = joined([first, second, third])
    assert both.settled == third.settled
    assert (both.removed, both.put_back, both.duplicates) == (("B1", "B2"), ("B3", "B6"), ("B4", "B7"))
    assert (both.edited, both.conflicts) == (("B5", "B8"), (conflict, other))


def test_a_row_is_ours_by_the_source_by_the_base_or_by_its_mark():
    sheet = [
        row(2, *CALM, state=""),
        row(3, "B2", "", "", state=""),
        row(4, "B3", "", ""),
        row(5, "Total", "", 9, state=""),
    ]
    assert [r.key for r in our_rows(source(CALM), sheet, base(("B2", "", "")))] == ["B1", "B2", "B3"]


KEYS = st.sampled_from(["B1", "B2", "B3", "B4"])
CELLS = st.tuples(st.sampled_from(["2026-05-13", "2026-07-01", ""]), st.sampled_from([1, 2, "=1+1", ""]))
STATES = st.sampled_from([LIVE, REMOVED, DUPLICATE, "", "mine"])
BOOKINGS = st.dictionaries(KEYS, CELLS).map(lambda rows: {key: (key, *cells) for key, cells in rows.items()})
BASES = st.dictionaries(KEYS, st.tuples(CELLS, st.sampled_from([LIVE, REMOVED]))).map(
    lambda rows: {key: (key, *cells, state) for key, (cells, state) in rows.items()}
)
SHEETS = st.lists(st.tuples(KEYS, CELLS, STATES)).map(
    lambda rows: [row(n, key, *cells, state=state) for n, (key, cells, state) in enumerate(rows, start=2)]
)
POLICIES = st.builds(
    lambda mode, window: Policy(1, restore_edits=mode == "restore", sheet_wins=mode == "sheet", window=window),
    st.sampled_from(["keep", "restore", "sheet"]),
    st.sampled_from([("", ""), ("2026-06-01", "")]),
)


def applied(plan, sheet):
    changes = {change.number: change for change in plan.changes}
    rows = [
        Row(r.number, r.key, tuple(changes[r.number].cells.get(i, c) for i, c in enumerate(r.cells)))
        if r.number in changes
        else r
        for r in sheet
    ]
    return rows + [Row(n, key, cells) for n, (key, cells) in enumerate(plan.added.items(), start=len(sheet) + 2)]


@given(BOOKINGS, SHEETS, BASES, POLICIES)
def test_an_applied_plan_leaves_nothing_to_write_neither_in_this_run_nor_in_the_next(bookings, sheet, known, policy):
    plan = diff(bookings, sheet, known, policy)
    after = applied(plan, sheet)
    assert not diff(bookings, after, known, policy).writes
    assert not diff(bookings, after, plan.settled, policy).writes


@given(BOOKINGS, SHEETS, BASES, POLICIES)
def test_after_a_run_each_booking_of_the_source_has_exactly_one_living_row(bookings, sheet, known, policy):
    after = applied(diff(bookings, sheet, known, policy), sheet)
    living = [r.key for r in after if r.cells[-1] == LIVE and r.key in bookings]
    assert sorted(living) == sorted(bookings)


@given(BOOKINGS, SHEETS, BASES, POLICIES)
def test_no_row_is_written_twice_and_no_key_at_all(bookings, sheet, known, policy):
    changes = diff(bookings, sheet, known, policy).changes
    assert len({change.number for change in changes}) == len(changes)
    assert all(0 not in change.cells for change in changes)
