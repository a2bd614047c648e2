"""Each row of the table of what a host should be, as a deploy reads it."""

import pytest

from provision import desired


@pytest.mark.parametrize("row", desired.of_any_blueprint(), ids=lambda row: row.id)
def test_as_desired(probed, differing, row):
    if row not in desired.table(probed.os):
        pytest.skip(f"{probed.os} has it without a deploy")
    if row.or_absent and probed.found[row.look][row.name] is None:
        pytest.skip(row.cure or "it is not there, and need not be")
    assert row.id not in differing, desired.told(differing[row.id])
