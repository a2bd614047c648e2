"""Each row of the table of what a host should be, as a deploy reads it."""

import pytest

from provision import desired


@pytest.mark.parametrize("row", desired.of_any_blueprint(), ids=lambda row: row.id)
def test_as_desired(probed, differing, row):
    if row not in desired.table(probed.os):
        pytest.skip(f"{probed.os} has it without a deploy")
    assert row.id not in differing, desired.told(differing[row.id])
