"""What is handed over without the model's words."""

from agent.session import checkpoint
from wire.types import EventKind


def test_it_tells_what_was_asked_done_and_said_last(lives):
    lives.live(
        [
            lives.said(lives.text("I count."), lives.use("bash", 1, command="wc beds")),
            lives.said(lives.use("finish", 2)),
        ]
    )
    told = checkpoint.from_journal(lives.events())
    assert "Asked: Count the beds" in told
    assert "Last words: I count." in told
    assert '- bash {"command": "wc beds"}\n  bash ran' in told


def test_it_stays_small_whatever_the_session_was(lives):
    long = lambda n: lives.said(lives.text("w" * 9000), lives.use("bash", n, command="c" * 9000))  # noqa: E731 - one line is enough
    lives.live(long)
    assert len(checkpoint.from_journal(lives.events()).encode()) < 10_000


def test_a_call_without_a_result_is_told_as_such(lives):
    lives.live([lives.said(lives.use("bash", 1, command="ls")), lives.said(lives.use("finish", 2))])
    lives.cut_behind(EventKind.TOOL_STARTED)
    assert "not run, or interrupted" in checkpoint.from_journal(lives.events())


def test_a_session_that_never_got_an_answer_has_one_too(lives):
    assert "No tool was called." in checkpoint.from_journal(lives.events())
