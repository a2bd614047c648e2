"""What is paused, and what of a deploy leaves it so; systemd's own part is tried on a host."""

import pytest

from provision.onhost.health import Look, Run, Times, require_healthy
from provision.onhost.pauses import ALL, DROP_IN, RESTORED, WORK, Pauses
from provision.system.units import SERVICES, UNITS

WORD = {"by": "anna", "since": "2026-05-13T12:00:00Z", "why": "the box is replaced"}


@pytest.fixture
def pauses(tmp_path):
    return Pauses(tmp_path / "paused")


def test_who_paused_first_stays_until_it_is_resumed(pauses):
    pauses.begin(WORK, WORD)
    pauses.begin(ALL, {**WORD, "by": "ben"})
    assert {unit: word["by"] for unit, word in pauses.all().items()} == {
        **dict.fromkeys(sorted(ALL), "ben"),
        **dict.fromkeys(WORK, "anna"),
    }
    pauses.end(ALL)
    assert pauses.all() == {}


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff"])
def test_what_cannot_be_read_is_paused_all_the_same(pauses, tmp_path, content):
    pauses.begin(WORK, WORD)
    (tmp_path / "paused" / WORK[0]).write_bytes(content)
    assert pauses.all()[WORK[0]]["by"] == "?"


def test_what_is_resumed_while_it_is_looked_at_is_not_paused(pauses, tmp_path):
    pauses.begin(WORK, WORD)
    # As good as one that goes after it was listed: it is listed, and is not there.
    (tmp_path / "paused" / "gone.service").symlink_to("nowhere")
    assert set(pauses.all()) == set(WORK)


def test_a_restored_box_neither_works_nor_tells_nor_sends():
    assert set(UNITS) - {"jada-dashboard.service"} <= set(RESTORED)
    assert set(SERVICES) <= set(ALL)
    assert "ConditionPathExists=!/opt/jada-agent/paused/%n\n" in DROP_IN


def test_a_unit_that_is_paused_while_it_is_watched_is_no_failure():
    now = [0.0]
    runs = {unit: Run("active", "1", 0) for unit in ("a", "b")}
    looks = [Look(runs, None), Look({"a": runs["a"]}, None), Look({"a": runs["a"]}, None)]
    times = Times(lambda: now[0], lambda seconds: now.__setitem__(0, now[0] + seconds))
    require_healthy(lambda: looks.pop(0) if len(looks) > 1 else looks[0], set(), 1.0, 5.0, times)
