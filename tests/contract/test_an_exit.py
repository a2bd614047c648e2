"""Who adds an exit of a session is told of each place that must know it: the ending that makes it, the rule that reads
it, and the words that the page and `fab` have for it.
"""

from datetime import UTC, datetime

import pytest

from agent.record.limits import Spent
from agent.session import endings
from dashboard import rules, words
from dashboard.record import Conflict, FamilyBudget
from provision.commands import task_lines
from wire.types import EventKind, Exit, NewTask, Question, SessionEnd, State, Wait

NOW = datetime(2026, 5, 13, 12, tzinfo=UTC)
MADE = {kind.exit: kind for kind in endings.Ending.__subclasses__()}
"""What a session makes; the daemon makes `FENCED` itself."""
LEFT = {"question": Question(tool_use_id="t", text="?"), "wait": Wait(tool_use_id="t", tasks=("1" * 26,))}
"""What some ends must have."""


def ended(code):
    """A running task's record after its session ended so."""
    queued = rules.draft(NewTask(title="t"), "0" * 26, NOW)
    held = rules.claim(
        queued, FamilyBudget(sessions=100, usd_micros=10**9), rules.Claimant(host="h", session_id="S", ttl_s=60), NOW
    )
    return rules.end(held, "S", SessionEnd(fence=held.task.fence, exit=code, **LEFT), rules.Left(), NOW)


def test_each_has_its_ending_and_its_words():
    assert set(MADE) == set(Exit) - {Exit.FENCED}
    assert set(words.EXITS) == set(task_lines.ENDINGS) == set(Exit)


@pytest.mark.parametrize("code", Exit)
def test_the_queue_knows_where_each_leads(code):
    if code is Exit.FENCED:
        with pytest.raises(Conflict):  # a task that was neither cancelled nor claimed again
            ended(code)
        return
    task = ended(code).task
    assert task.state is not State.RUNNING
    assert "does not know" not in (task.waiting.text if task.waiting else "")


@pytest.mark.parametrize("code", MADE)
def test_session_and_queue_agree_on_whether_it_goes_on(code):
    kind, _ = endings.record(MADE[code]("why"), Spent(1, 1))
    assert (kind is EventKind.SUSPEND) == (code in rules.SUSPENDED)
