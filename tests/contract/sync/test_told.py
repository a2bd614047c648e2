"""Two parts that may not import each other agree on which of the sync's failures were told already."""

from notify.failed import REPORTED
from sync.failure import Exit


def test_what_the_sync_reported_itself_is_not_reported_again_by_its_unit():
    told = {str(int(code)) for code in Exit} - {
        "0",
        str(int(Exit.UNTOLD)),
        str(int(Exit.BUSY)),
        str(int(Exit.SETTINGS)),
    }
    assert set(REPORTED["port-sheet-sync.service"]) == told
