"""An outage of the dashboard is sent once in a while, and anew after it was over."""

from datetime import UTC, datetime, timedelta

import pytest

from sync.away import PAUSE, Away, command, has_targets, text
from wire.types import SyncOutcome, SyncRun

NOW = datetime(2026, 5, 13, 3, tzinfo=UTC)
RUN = SyncRun(started_at="a", finished_at="b", outcome=SyncOutcome.CHANGED)


@pytest.fixture
def sent():
    return []


@pytest.fixture
def away(tmp_path, sent):
    def make(code=0):
        return Away(tmp_path / "away", lambda words, said: sent.append((words, said)) or code)

    return make


def test_an_outage_is_reported_once_within_the_pause_and_then_again(away, sent):
    for after in (timedelta(), PAUSE - timedelta(seconds=1), PAUSE):
        away().tell(RUN, NOW + after)
    assert [words for words, _ in sent] == [command(NOW), command(NOW + PAUSE)]


def test_an_outage_after_the_dashboard_was_back_is_another_one(away, sent):
    away().tell(RUN, NOW)
    away().back()
    away().tell(RUN, NOW + timedelta(minutes=30))
    away().back()
    away().back()
    assert len(sent) == 2


def test_what_reached_no_target_is_reported_by_the_next_run(away, sent):
    away(1).tell(RUN, NOW)
    away(0).tell(RUN, NOW + timedelta(minutes=30))
    assert len(sent) == 2


def test_the_message_says_how_the_run_went():
    assert "The sync itself succeeded: changed." in text(RUN)
    failed = SyncRun(started_at="a", finished_at="b", outcome=SyncOutcome.FAILED, error="token_dead")
    assert "The sync itself failed: token_dead." in text(failed)


@pytest.mark.parametrize(("content", "there"), [(None, False), ("\n", False), ("a = json://h\n", True)])
def test_without_a_target_it_waits_for_nothing(tmp_path, content, there):
    if content is not None:
        (tmp_path / "notify_targets").write_text(content)
    assert has_targets(tmp_path) is there
