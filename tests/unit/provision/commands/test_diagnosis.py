import pytest

from provision.commands.diagnosis import Look, NotChecked, Row, Verdict, diagnose, exit_code, lines
from provision.errors import CommandError


def fault():
    raise CommandError("it is broken", "mend it")


def unseen():
    raise NotChecked("nobody looked")


def verdicts(*looks):
    return {row.name: row.verdict for row in diagnose(looks)}


def test_a_row_is_ok_only_with_what_was_observed():
    (row,) = diagnose([Look("one", lambda: "seen at noon")])
    assert row == Row("one", Verdict.OK, "seen at noon")


def test_a_fault_has_cause_and_cure():
    (row,) = diagnose([Look("one", fault)])
    assert list(lines(row)) == ["fault        one            it is broken", f"{'':27} → mend it"]


def test_what_can_not_be_looked_at_is_not_ok():
    (row,) = diagnose([Look("one", unseen)])
    assert (row.verdict, row.said) == (Verdict.NOT_CHECKED, "nobody looked")


def test_what_stands_on_a_fault_is_not_looked_at_and_neither_is_what_stands_on_that():
    def never():
        raise AssertionError

    found = verdicts(Look("one", fault), Look("two", never, ("one",)), Look("three", never, ("two",)))
    assert found == {"one": Verdict.FAULT, "two": Verdict.NOT_CHECKED, "three": Verdict.NOT_CHECKED}


def test_what_was_not_checked_keeps_nothing_from_being_looked_at():
    assert verdicts(Look("one", unseen), Look("two", str, ("one",)))["two"] is Verdict.OK


@pytest.mark.parametrize(
    ("looks", "code"),
    [([], 2), ([str], 0), ([str, unseen], 2), ([unseen, fault, str], 1)],
)
def test_the_exit_code_is_that_of_the_worst(looks, code):
    assert exit_code(diagnose([Look(str(place), at) for place, at in enumerate(looks)])) == code
