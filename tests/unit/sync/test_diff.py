"""A plan as it is printed: whole, with what stands there now."""

from msgspec.structs import replace

from sync.diff import as_data, lines, plan_id
from sync.plan import Change, Conflict, Plan, Row

COLUMNS = ("id", "rate", "sync_state")
ROWS = (Row(2, "B1", ("B1", 80, "live")), Row(3, "B2", ("B2", 5, "live")), Row(4, "B3", ("B3", 6, "live")))
PLAN = Plan(
    added={f"A{n}": (f"A{n}", n, "live") for n in range(9)},
    changes=(Change(2, "B1", {1: 90}), Change(3, "B2", {2: "removed"}), Change(4, "B3", {2: "duplicate"})),
    settled={},
    removed=("B2",),
    put_back=("A0",),
    duplicates=("B3",),
    edited=("B4",),
    conflicts=(Conflict("B1", 1, 90, 80, written=True),),
)


def test_nothing_is_left_out_and_each_cell_shows_what_is_there_now():
    said = list(lines(PLAN, ROWS, COLUMNS))
    assert said[0] == "+ A0: new row (a user had deleted its row)"
    assert sum(line.startswith("+ ") for line in said) == 9
    assert said[said.index("~ B1, row 2: changed") + 1] == "      rate: 80 -> 90"
    assert (
        said[said.index("~ B2, row 3: is gone from the booking system") + 1] == '      sync_state: "live" -> "removed"'
    )
    assert "~ B3, row 4: is a further row of a booking" in said
    assert "! B1, rate: both sides changed: source 90, sheet 80; the source wins" in said
    assert "= B4: a user's edit stays" in said
    assert said[-1] == f"plan {plan_id(PLAN)}"


def test_a_program_gets_the_same():
    data = as_data(PLAN, ROWS, COLUMNS)
    assert (data["plan"], len(data["added"]), len(data["changed"])) == (plan_id(PLAN), 9, 3)
    assert data["changed"][0]["cells"] == {"rate": {"now": 80, "then": 90}}


def test_a_plan_keeps_its_name_when_rows_move_and_loses_it_with_a_cell():
    moved = replace(PLAN, changes=tuple(replace(change, number=change.number + 5) for change in PLAN.changes))
    other = replace(PLAN, changes=(Change(2, "B1", {1: 91}), *PLAN.changes[1:]))
    assert plan_id(moved) == plan_id(PLAN) != plan_id(other)
    assert plan_id(replace(PLAN, added={})) != plan_id(PLAN)


def test_a_plan_without_writes_says_so():
    assert list(lines(Plan(added={}, changes=(), settled={}), ROWS, COLUMNS)) == ["nothing to write"]
