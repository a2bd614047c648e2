"""What is handed over without the model's words."""

import dataclasses

import pytest

from agent.record.limits import spent
from agent.session import checkpoint, request
from agent.session.endings import Drained
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


def test_a_call_without_a_result_is_reported_as_such(lives):
    lives.live([lives.said(lives.use("bash", 1, command="ls")), lives.said(lives.use("finish", 2))])
    lives.cut_behind(EventKind.TOOL_STARTED)
    assert "not run, or interrupted" in checkpoint.from_journal(lives.events())


def test_a_session_that_never_got_an_answer_has_one_too(lives):
    assert "No tool was called." in checkpoint.from_journal(lives.events())


WHOLE = "Asked: count.\nDone: half.\nFound: nothing.\n**Decided:** by hand.\nNext: the rest.\nFiles: beds.csv"


def handed(lives, words):
    lives.limits = dataclasses.replace(lives.limits, turns=spent(lives.events()).turns + 1)
    return lives.live(lambda _n: lives.said(lives.text(words))).handed["checkpoint"]


def test_words_with_all_parts_are_the_checkpoint_with_the_journals_facts_behind(lives):
    edit = lives.use("str_replace_based_edit_tool", 1, command="create", path="/workspace/beds.csv", file_text="1")
    lives.live([lives.said(edit), lives.said(lives.use("bash", 2, command="wc beds", fail=1)), Drained("enough")])
    told = handed(lives, WHOLE)
    assert told.startswith(WHOLE)
    assert "Files changed by the editor: /workspace/beds.csv" in told
    assert "- bash" in told
    assert "bash ran" in told


def test_images_and_documents_that_were_seen_are_told(lives):
    rates = {"name": "rates.pdf", "media_type": "application/pdf", "first": 2, "pages": 2, "of": 9, "sha256": "a"}
    lives.add(EventKind.MESSAGE, {"content": [], "shown": [rates]})
    told = checkpoint.from_journal(lives.events())
    assert "Images and documents that were shown: rates.pdf, pages 2 to 3 of 9" in told


def test_words_that_lack_parts_are_no_checkpoint(lives):
    told = handed(lives, "I will write the checkpoint to a file.")
    assert "left no whole checkpoint: it lacks Asked, Done, Found, Decided, Next, Files" in told
    assert "Last words: I will write the checkpoint to a file." in told


def test_what_people_said_is_handed_on_word_for_word_from_session_to_session(lives):
    lives.live([lives.said(lives.use("ask_person", "q", question="Keep the beds?"))])
    lives.add(EventKind.ANSWER, {"tool_use_id": "toolu_q", "text": "Keep them.\n  All  of them."})
    lives.live([Drained("enough")])
    lives.add(EventKind.MESSAGE, {"content": [lives.text("[A person answers]\nAnd hurry.")], "note": True})
    told = handed(lives, WHOLE)
    assert "- Asked: Keep the beds?\n  Answered: Keep them.\n  All  of them." in told
    assert "And hurry." in told
    assert "not run, or interrupted" not in told
    lives.begin(f"Task: T\n\n{told}")
    again = handed(lives, WHOLE)
    assert "Answered: Keep them.\n  All  of them." in again
    assert again.count("And hurry.") == 1


LONG = "\n".join(f"line {n} of a mail" for n in range(700))
"""More than the first message has of it."""


@pytest.mark.parametrize("recorded", [True, False])
def test_no_output_of_a_tool_is_ever_handed_on_as_words_of_people(lives, recorded):
    """Also not by a session that an earlier release began, which has them only as they were cut."""
    many = [lives.use("bash", f"b{n}", command="cat x; " * 99) for n in range(9)]
    lives.live([lives.said(*many), lives.said(lives.text("w" * 1600), lives.use("ask_person", "q", question="What?"))])
    lives.add(EventKind.ANSWER, {"tool_use_id": "toolu_q", "text": LONG})
    lives.live([Drained("enough")])
    first = checkpoint.from_journal(lives.events())
    read = request.cut(first, 8192)
    assert ("- bash" in read, "Here end the words" in read) == (True, False)
    people = {"people": checkpoint.parted(first)[0]} if recorded else {}
    lives.begin(f"Task: T\n\n{read}", **people)
    second = handed(lives, WHOLE)
    assert (LONG in second) is recorded
    assert second.startswith("What people said, in their words:\n- Asked: ")
    assert "- bash" not in second


def test_words_about_what_people_said_are_not_theirs():
    said = checkpoint.marked("- yes")
    assert checkpoint.parted(f"{said}\n\n{WHOLE}") == ("- yes", WHOLE)
    assert checkpoint.parted(f"(Why.)\n{said}\n{WHOLE}") == ("- yes", f"(Why.)\n{WHOLE}")
    for other in (f"{WHOLE}\n\n{said}", f"(Why.)\nLast words: x\n{said}", WHOLE):
        assert checkpoint.parted(other) == ("", other)
