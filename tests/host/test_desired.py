"""Each row of the table of what a host should be, as a deploy reads it."""

import pytest

from provision import desired


def test_as_desired(row, rows, probed, differing):
    if row not in rows:
        pytest.skip(f"{probed.os} has it without a deploy")
    if row.or_absent and probed.found[row.look][row.name] is None:
        pytest.skip(row.cure or "it is not there, and need not be")
    if row.id in differing:
        # One line, for a reader and for a report.
        pytest.fail(desired.described(differing[row.id]), pytrace=False)
