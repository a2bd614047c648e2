"""How much a source may lose from one run to the next."""

import pytest

from sync.failure import SyncFailed
from sync.source import require_plausible_size


@pytest.mark.parametrize(
    ("found", "lost", "percent", "kind"),
    [(0, 1, 30, "source_empty"), (69, 31, 30, "source_shrunken"), (0, 100, 99, "source_empty")],
)
def test_a_source_that_lost_too_much_is_refused(found, lost, percent, kind):
    with pytest.raises(SyncFailed) as failed:
        require_plausible_size(found, lost, percent)
    assert failed.value.kind == kind


@pytest.mark.parametrize(("found", "lost", "percent"), [(0, 0, 30), (70, 30, 30), (1, 10, 30), (0, 100, 100)])
def test_a_source_that_lost_little_or_as_was_told_is_accepted(found, lost, percent):
    require_plausible_size(found, lost, percent)
