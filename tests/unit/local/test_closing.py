"""The last page of the demo: who answered, what it cost, and what to type next, for a tired reader."""

import io
import re

import pytest
from rich.console import Console

from local import closing
from local.closing import Done

ID = "01JZ00000000000000000000AB"
TASKS = [
    Done("Season occupancy", ID, "done", 1, 14_200, "The busiest month [of all] is December, " * 12 + "\nmore"),
    Done("Check every booking", ID, "done", 2, 0, ""),
    Done("Ask about the group booking", ID, "done", 1, 300, ""),
]
STEPS = [("pulumi up: the box, its static IP and its firewall" * 3, 3.71), ("work", 114.6)]
SHEET = "http://10.77.0.1:8702/spreadsheets/d/jada-bookings"


def page(*, real=False, typed="make demo", **environ):
    out = io.StringIO()
    console = Console(file=out, width=300)
    text = closing.page(TASKS, STEPS, SHEET, real=real, environ={"JADA_TYPED": typed, **environ})
    console.print(text, soft_wrap=True)
    return out.getvalue()


def test_it_fits_a_terminal_of_80_columns():
    for real in (False, True):
        assert max(len(line) for line in page(real=real).splitlines()) < 80


def test_a_script_as_claude_is_called_so_and_its_price_is_none():
    text = page()
    assert "played by a script: no money was spent" in text
    assert "would have cost $0.01" in text
    assert "would have cost $0.00" in text
    assert "would have cost <$0.01" in text
    assert "make demo CLAUDE=real" in text


def test_the_real_claude_is_paid():
    text = page(real=True)
    assert "played by a script" not in text
    assert "1 session, cost $0.01" in text
    assert "on your bill" in text
    assert "CLAUDE=real" not in text


@pytest.mark.parametrize("typed", ["sudo make demo", "sudo make demo BOOKINGS=x.csv"])
def test_commands_are_named_as_they_were_typed(typed):
    text = page(typed=typed)
    assert re.search("sudo make demo BOOKINGS=FILE$", text, re.MULTILINE)
    assert re.search(r"end it +sudo make down\n", text)


def test_each_step_has_its_seconds_in_one_column():
    lines = [line for line in page().splitlines() if re.search(r"\d\.\d s$", line)]
    assert len(lines) == len(STEPS)
    assert len({len(line) for line in lines}) == 1


def test_a_result_is_shown_as_it_is_and_not_at_length():
    text = page()
    assert "[of all]" in text
    assert "more" not in text
    assert text.count("busiest month") <= 6


def test_a_result_acts_on_no_terminal():
    done = [Done("Season occupancy", ID, "done", 1, 0, "all \x1b]0;title\x07well")]
    text = closing.page(done, STEPS, SHEET, real=False, environ={})
    assert "all \\x1b]0;title\\x07well" in text


def test_it_says_where_to_look():
    text = page()
    for part in ('eval "$(make env)"', f"fab task.get {ID} --to ~\n", SHEET, "fab dashboard", "fab verify"):
        assert part in text


def test_another_site_is_named_where_it_must_be():
    text = page(typed="sudo make demo", JADA_SITE="other")
    assert 'eval "$(make env JADA_SITE=other)"' in text
    assert "sudo make demo JADA_SITE=other BOOKINGS=FILE\n" in text
    assert "sudo make demo JADA_SITE=other CLAUDE=real\n" in text
    assert "sudo make down JADA_SITE=other\n" in text
    widest = page(typed="sudo make demo", JADA_SITE="jadatest1234")
    assert max(len(line) for line in widest.splitlines()) < 80
