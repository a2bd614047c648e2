"""Each ending has its exit and its record."""

import pytest

from agent.record.limits import Spent
from agent.session import endings
from wire.types import EventKind, Exit

OVER = {Exit.FINISHED, Exit.TURN_LIMIT}


@pytest.mark.parametrize("kind", endings.Ending.__subclasses__())
def test_only_a_session_that_is_over_ends_and_all_others_are_suspended(kind):
    record, data = endings.record(kind("why"), Spent(3, 70))
    assert record is (EventKind.END if kind.exit in OVER else EventKind.SUSPEND)
    assert (data["exit"], data["reason"], data["turns"], data["usd_micros"]) == (int(kind.exit), "why", 3, 70)


def test_the_record_has_all_its_fields_whatever_is_handed_over():
    _, data = endings.record(endings.Finished("done", result="r", files=["a"]), Spent(1, 1))
    numbers, handed = {"exit", "turns", "usd_micros"}, {"result", "question", "wait", "checkpoint", "files"}
    assert set(data) == numbers | handed | {"reason", "not_before", "host_wide"}
    assert (data["result"], data["files"], data["checkpoint"]) == ("r", ["a"], None)
