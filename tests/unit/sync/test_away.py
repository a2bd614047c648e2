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


def failed(error):
    run = {"outcome": SyncOutcome.FAILED, "error": error, "cause": f"of {error}", "cure": f"for {error}"}
    return SyncRun(started_at="a", finished_at="b", **run)


def test_a_failure_of_the_sync_itself_does_not_wait_for_the_pause_and_is_told_once(away, sent):
    runs = [RUN, failed("token_dead"), failed("token_dead"), RUN, failed("sheets_quota"), failed("sheets_quota")]
    assert all(away().tell(run, NOW + number * timedelta(minutes=30)) for number, run in enumerate(runs))
    assert [
        error in said for (_, said), error in zip(sent, ("succeeded", "token_dead", "sheets_quota"), strict=True)
    ] == [True] * 3


def test_a_clock_that_was_set_back_keeps_no_message(away, sent):
    for after in (365, 0, 0):
        away().tell(RUN, NOW + timedelta(days=after))
    assert len(sent) == 2


def test_what_was_told_is_told_also_where_that_can_not_be_kept(tmp_path, sent, caplog):
    (tmp_path / "folder").touch()  # as a full disk: nothing can be written below it, or removed
    away = Away(tmp_path / "folder" / "away", lambda words, said: sent.append(words) or 0)
    assert away.tell(RUN, NOW)
    away.back()
    assert (len(sent), caplog.text.count("can't be kept on disk")) == (1, 2)


def test_what_reached_no_target_is_reported_by_the_next_run(away, sent):
    away(1).tell(RUN, NOW)
    away(0).tell(RUN, NOW + timedelta(minutes=30))
    assert len(sent) == 2


def test_the_message_says_how_the_run_went():
    assert "The sync itself succeeded: changed." in text(RUN)
    said = text(failed("token_dead"))
    assert "The sync itself failed: token_dead. Cause: of token_dead. Cure: for token_dead\n" in said


@pytest.mark.parametrize(("content", "there"), [(None, False), ("\n", False), ("a = json://h\n", True)])
def test_without_a_target_it_waits_for_nothing(tmp_path, content, there):
    if content is not None:
        (tmp_path / "notify_targets").write_text(content)
    assert has_targets(tmp_path) is there
