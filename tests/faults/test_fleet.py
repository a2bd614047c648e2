"""Some faults of the fleet's sweep (`make faults` has hundreds), and that it would see what is untrue."""

import pytest

from tests.faults import fleet
from tests.faults.fleet import Seen, untrue

RUN = {"session": "S1", "n": 3, "word": "a"}
END = {"ended": "T1", "fence": 2, "result": "right", "state": "done"}
SEEN = Seen(tasks={"T1": ("done", "right")}, sessions={"T1": 2}, words={("S1", 3): "a"})
CLAIM = {"claimed": "T1", "fence": 2, "session": "S1", "key": "one"}


def syncs(host, begins, ends):
    return {"sync": host, "fence": 1, "begins": begins, "ends": ends}


def test_what_was_acknowledged_and_is_so_is_no_violation():
    apart = [syncs("one", 1.0, 2.0), syncs("two", 2.0, 2.5), syncs("two", 2.1, 2.2)]
    assert untrue([{"added": "T1"}, CLAIM, CLAIM, RUN, END, *apart], SEEN, 2) == []


@pytest.mark.parametrize(
    ("said", "seen", "why"),
    [
        ([{"added": "T2"}], SEEN, "task T2 is lost"),
        ([CLAIM, {**CLAIM, "key": "other"}], SEEN, "claimed twice under fence 2"),
        ([{**RUN, "word": "b"}], SEEN, "record 3 of session S1 is lost"),
        ([{**RUN, "n": 4}], SEEN, "record 4 of session S1 is lost"),
        ([{**END, "result": "wrong"}], SEEN, "result of task T1 was overwritten"),
        ([], Seen(sessions={"T1": 3}), "had 3 sessions"),
        ([], Seen(sessions={"T1": 2, "T2": 2, "T3": 1}), "5 sessions began on a day of at most 4"),
        ([syncs("one", 1.0, 3.0), syncs("one", 1.5, 1.6), syncs("two", 2.9, 4.0)], SEEN, "wrote the sheet at once"),
    ],
)
def test_each_kind_of_untruth_is_seen(said, seen, why):
    assert [each for each in untrue(said, seen, 4) if why in each]


@pytest.mark.root
@pytest.mark.process
def test_three_hosts_keep_their_word_through_some_faults_and_work_on():
    done, said, seen = fleet.sweep(12, 7)
    assert untrue(said, seen, fleet.cap_of(12)) == []
    assert sum(done.values()) == 12
    assert len(said) > 12
