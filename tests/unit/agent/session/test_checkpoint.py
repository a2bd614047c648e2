"""What is handed over without the model's words."""

from agent.session import checkpoint
from wire.types import EventKind


def test_it_tells_what_was_asked_done_and_said_last(world):
    world.live(
        [
            world.said(world.text("I count."), world.use("bash", 1, command="wc beds")),
            world.said(world.use("finish", 2)),
        ]
    )
    told = checkpoint.from_journal(world.events())
    assert "Asked: Count the beds" in told
    assert "Last words: I count." in told
    assert '- bash {"command": "wc beds"}\n  bash ran' in told


def test_it_stays_small_whatever_the_session_was(world):
    long = lambda n: world.said(world.text("w" * 9000), world.use("bash", n, command="c" * 9000))  # noqa: E731 - one line is enough
    world.live(long)
    assert len(checkpoint.from_journal(world.events()).encode()) < 10_000


def test_a_call_without_a_result_is_told_as_such(world):
    world.live([world.said(world.use("bash", 1, command="ls")), world.said(world.use("finish", 2))])
    world.cut_behind(EventKind.TOOL_STARTED)
    assert "not run, or interrupted" in checkpoint.from_journal(world.events())


def test_a_session_that_never_got_an_answer_has_one_too(world):
    assert "No tool was called." in checkpoint.from_journal(world.events())
