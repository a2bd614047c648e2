import contextlib
import io
import os

import pytest
from rich.console import Console

from local.process import wait_until
from provision.progress import Lines, Progress


def _progress(**options):
    """Steps that take no time, however busy the machine is, unless a test says otherwise."""
    out = io.StringIO()
    return Progress(Console(file=out, width=200), **{"clock": lambda: 0.0, "slow_s": 3600, **options}), out


def test_a_quick_step_is_one_line():
    progress, out = _progress()
    with progress.step("look"):
        pass
    assert out.getvalue() == "  ✓ look\n"


@pytest.mark.parametrize("console", [{}, {"force_terminal": True, "_environ": {"TERM": "dumb"}}], ids=["log", "dumb"])
def test_a_slow_step_says_that_it_is_under_way_and_how_long_it_took(console):
    times, out = iter([10.0, 12.34]), io.StringIO()
    progress = Progress(Console(file=out, width=200, **console), clock=lambda: next(times), slow_s=0.01)
    with progress.step("install"):
        assert wait_until(lambda: "… install" in out.getvalue(), seconds=10)
    assert out.getvalue() == "  … install\n  ✓ install  2.3 s\n"


def test_a_failed_step_is_marked_and_its_error_goes_on():
    progress, out = _progress()
    with pytest.raises(ValueError, match="why"), progress.step("try"):
        raise ValueError("why")
    assert out.getvalue().startswith("  ✗ try")


def test_a_log_has_no_colour_and_brackets_stay_as_they_are():
    progress, out = _progress()
    progress.say("unit [x] of y", "bold")
    assert out.getvalue() == "unit [x] of y\n"


def test_aside_a_quick_step_is_not_shown(capsys):
    progress, out = _progress(aside=True)
    with progress.step("look"):
        pass
    assert out.getvalue() + capsys.readouterr().err == ""


def test_text_from_a_host_can_not_act_on_the_terminal():
    progress, out = _progress()
    progress.say("title\x1b]0;owned\x07\nforged")
    progress.done("note\x9b2J", 0)
    with progress.step("unpack\r\u202e"):
        pass
    assert out.getvalue() == "title\\x1b]0;owned\\x07\\x0aforged\n  ✓ note\\x9b2J\n  ✓ unpack\\x0d\\u202e\n"


CODE = "app/main.py:100:5: E501"
"""Rich would make an emoji of what stands between two colons here."""


def test_what_stands_between_two_colons_is_printed_as_it_is(capsys):
    progress = Progress(clock=lambda: 0.0, slow_s=3600)
    progress.say(CODE)
    progress.note(CODE)
    with progress.step(CODE):
        pass
    Progress(aside=True).note(CODE)
    printed = capsys.readouterr()
    assert printed.out == f"{CODE}\n{CODE}\n  ✓ {CODE}\n"
    assert printed.err == f"{CODE}\n"


def test_on_a_terminal_a_moving_line_has_it_as_it_is_too():
    out = io.StringIO()
    console = Lines(file=out, width=200, force_terminal=True, _environ={"TERM": "xterm"})
    progress = Progress(console, clock=lambda: 1.0, slow_s=3600)
    with progress.counted(CODE) as count:
        count(3_000_000)
    assert f"{CODE}: 3.0 MB" in out.getvalue()
    assert out.getvalue().count("💯") == 0


def test_a_failed_step_can_not_act_on_the_terminal_either():
    progress, out = _progress()
    with pytest.raises(ValueError, match="why"), progress.step("try\x1b[2K"):
        raise ValueError("why")
    assert out.getvalue().startswith("  ✗ try\\x1b[2K")


def test_a_reader_that_goes_away_is_no_error_of_ours_to_end_with():
    gone, written = os.pipe()
    os.close(gone)
    out = os.fdopen(written, "w")
    with pytest.raises(BrokenPipeError):
        Progress(Lines(file=out)).say("a line of a journal")
    with contextlib.suppress(BrokenPipeError):  # what could not be written is tried once more
        out.close()
