"""No text of others forges a line of the log."""

import io
import logging
import subprocess
import sys
from pathlib import Path

import pytest

from wire.log import Lines, Printable

FORGED = "a title\x0aINFO session A: exit 0\x1b[2K\u202etxt\x9b"


def formatted(message, *values, exc_info=None):
    record = logging.LogRecord("agent", logging.INFO, "", 0, message, values, exc_info)
    return Printable("%(levelname)s %(message)s").format(record)


def test_a_record_is_one_line_whatever_it_is_made_of():
    line = formatted("task %s", FORGED)
    assert line == r"INFO task a title\x0aINFO session A: exit 0\x1b[2K\u202etxt\x9b"


def test_a_traceback_keeps_its_lines_and_nothing_else():
    with pytest.raises(ValueError, match="a title") as caught:
        raise ValueError(FORGED)
    text = formatted("broken", exc_info=(caught.type, caught.value, caught.tb))
    assert text.startswith("INFO broken\nTraceback (most recent call last):\n")
    assert r"exit 0\x1b[2K\u202etxt\x9b" in text


class Stopped(Exception):
    """What a signal's handler raises."""


class Broken(io.StringIO):
    """A stream in whose writing something happens."""

    def __init__(self, error):
        super().__init__()
        self._error = error

    def write(self, _text):
        raise self._error


def test_a_signal_that_comes_while_a_line_is_written_is_not_lost_with_it(capsys):
    record = logging.LogRecord("sync", logging.INFO, "", 0, "a line", (), None)
    with pytest.raises(Stopped):
        Lines(Broken(Stopped()), (Stopped,)).handle(record)
    Lines(Broken(BrokenPipeError()), (Stopped,)).handle(record)
    assert "BrokenPipeError" in capsys.readouterr().err


@pytest.mark.parametrize("program", ["agent", "dashboard", "sync"])
def test_each_program_of_the_host_logs_by_it(program):
    source = (Path(__file__).parents[3] / program / "__main__.py").read_text()
    assert "log.start(" in source
    assert "basicConfig" not in source


@pytest.mark.process
def test_an_error_that_is_not_caught_forges_nothing_either():
    script = f"from wire import log; log.start('%(levelname)s %(message)s'); raise ValueError({FORGED!r})"
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stderr.startswith("CRITICAL ended by an error that was not foreseen\n")
    assert "\x1b" not in ended.stderr
