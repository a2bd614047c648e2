from hypothesis import given
from hypothesis import strategies as st

from dashboard import transcript
from dashboard.stores.journal import Unreadable
from dashboard.transcript import Refusal, ToolCall
from wire.types import Event, EventKind


def events(*items):
    return [Event(n=n, at="2026-05-13T12:00:00Z", kind=kind, data=data) for n, (kind, data) in enumerate(items, 1)]


def turn(*blocks, number=1):
    return EventKind.SETTLE, {
        "turn": number,
        "usd_micros": 10,
        "message": {"role": "assistant", "content": list(blocks)},
    }


def use(name="bash", **given):
    return {"type": "tool_use", "id": "u", "name": name, "input": given}


def test_a_turn_has_its_words_its_calls_and_their_results():
    result = (
        EventKind.TOOL_RESULT,
        {"tool_use_id": "u", "content": [{"type": "text", "text": "401"}], "is_error": True},
    )
    (entry,) = transcript.read(events(turn({"type": "text", "text": "I count."}, use(command="wc -l a")), result))
    assert (entry.kind, entry.title, entry.text) == ("turn", "Turn 1", "I count.")
    assert entry.calls == (ToolCall(name="bash", asked="wc -l a", result="401", is_error=True),)


def test_a_call_without_a_result_says_so():
    (entry,) = transcript.read(events(turn(use(command="sleep"))))
    assert entry.calls[0].result is None


def test_a_persons_answer_is_the_result_of_the_call_that_asked():
    answer = (EventKind.ANSWER, {"tool_use_id": "u", "text": "release"})
    turn_entry, answer_entry = transcript.read(events(turn(use("ask_person", question="keep?")), answer))
    assert (turn_entry.calls[0].result, answer_entry.text) == ("release", "release")


def test_other_inputs_are_shown_a_field_a_line():
    (entry,) = transcript.read(events(turn(use(command="create", path="a", file_text="x\ny", at=[1]))))
    assert entry.calls[0].asked == "command: create\npath: a\nfile_text:\nx\ny\nat: [1]"


def test_thinking_and_raw_streams_are_not_shown():
    assert transcript.read(events((EventKind.STREAM, {"events": []}), (EventKind.RESERVE, {"turn": 1}))) == []
    (entry,) = transcript.read(events(turn({"type": "thinking", "thinking": "secret"})))
    assert entry.text == ""


def test_what_a_person_said_and_how_it_ended_is_shown_in_order():
    told = (EventKind.MESSAGE, {"content": [{"type": "text", "text": "the task"}]})
    answer = (EventKind.ANSWER, {"tool_use_id": "u", "text": "release"})
    end = (EventKind.END, {"exit": 0, "reason": "finished"})
    entries = transcript.read(events(told, answer, end))
    assert [(e.kind, e.text) for e in entries] == [("message", "the task"), ("answer", "release"), ("note", "finished")]


def test_long_texts_are_cut_and_say_so():
    (entry,) = transcript.read(events((EventKind.MESSAGE, {"content": "x" * 20_005})))
    assert entry.text.endswith("5 more characters; the API has them")


def test_a_journal_of_another_shape_is_still_shown():
    odd = [(kind, {}) for kind in EventKind] + [(EventKind.SETTLE, {"message": {"content": ["text", None, {}]}})]
    assert transcript.read(events(*odd))


def test_a_part_begins_with_a_turn_and_says_where_the_part_before_ends():
    result = (EventKind.TOOL_RESULT, {"tool_use_id": "u", "content": "3"})
    journal = events(turn(use()), result, (EventKind.RESERVE, {"turn": 2}), turn(number=2))
    whole = transcript.passage(journal)
    assert ([entry.title for entry in whole.entries], whole.earlier) == (["Turn 1", "Turn 2"], None)
    part = transcript.passage(journal[1:])
    assert ([entry.title for entry in part.entries], part.earlier) == (["Turn 2"], 3)
    (before,) = transcript.passage(journal[:2], is_last=False).entries
    assert before.calls[0].result == "3"


def test_results_that_fill_a_part_are_shown_without_their_call():
    journal = events(
        turn(use()), (EventKind.TOOL_RESULT, {"tool_use_id": "u", "content": "3"}), (EventKind.RESERVE, {})
    )
    part = transcript.passage(journal[1:])
    assert ([(entry.title, entry.text) for entry in part.entries], part.earlier) == (
        [("Result of an earlier call", "3")],
        2,
    )


def test_what_cannot_be_read_is_named_in_its_place():
    broken = [Unreadable(1, 1, "at: missing"), Unreadable(2, 9, "gone")]
    assert [(entry.title, entry.text) for entry in transcript.read(broken)] == [
        ("Record 1 cannot be read here", "at: missing"),
        ("Records 2 to 9 cannot be read here", "gone"),
    ]


def test_an_input_that_is_nested_too_deeply_leaves_the_other_turns_readable():
    deep = []
    for _ in range(100_000):
        deep = [deep]
    entries = transcript.read(events(turn(use(a=deep)), turn(number=2)))
    assert [entry.title for entry in entries] == ["Record 1 cannot be read here", "Turn 2"]


ODD = [None, True, 7, 1.5, "t", {}, [None, 3], {"type": "text"}, [{"type": "text", "text": None}], [{"type": [1]}]]
CALLS = [{"type": "tool_use", "id": odd, "name": odd, "input": odd} for odd in ODD]
NAMES = ["content", "message", "tool_use_id", "turn", "text", "reason", "model"]
DATA = st.dictionaries(st.sampled_from(NAMES), st.sampled_from([*ODD, CALLS, *({"content": o} for o in [*ODD, CALLS])]))


@given(st.lists(st.tuples(st.sampled_from(list(EventKind)), DATA), max_size=6))
def test_a_journal_of_whatever_shape_has_its_entries(items):
    entries = transcript.read(events(*items))
    assert all("cannot be read" not in entry.title for entry in entries)
    "".join(entry.title + entry.text for entry in entries).encode()


def test_what_the_network_refused_is_shown_once_with_the_entry_that_would_allow_it():
    gone = {"what": "beds.org:443", "why": "is not listed", "allow": "beds.org"}
    odd = [{"refused": [gone]}, {"refused": [gone]}, {"refused": "x"}, 7, {"refused": [3, {}]}, {"more": 9}]
    result = {"tool_use_id": "u", "content": "", "is_error": True}
    for connections, shown in ((odd, (Refusal(**gone), Refusal(what="", why=""))), (None, ())):
        told = (EventKind.TOOL_RESULT, {**result, "connections": connections})
        (entry,) = transcript.read(events(turn(use(command="pip")), told))
        assert entry.calls[0].refused == shown
