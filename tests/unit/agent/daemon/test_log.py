"""No text of others forges a line of the log."""

import logging

import pytest

from agent.daemon.log import Printable

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
