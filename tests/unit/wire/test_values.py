"""Plain data is read strictly or leniently: what is wrong is refused, naming its field; what is unknown is kept."""

import enum
import json
from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta
from msgspec.structs import replace

from wire.types import Batch, Event, EventKind, Exit, File, NewTask, SessionEnd, State, SyncRun
from wire.values import Invalid, OpenWord, Request, Value, Written, decode, dump, encode, parse, read


class Inner(Value, frozen=True, kw_only=True):
    count: Annotated[int, Meta(ge=0, le=9)] = 1
    share: float = 0.5


class Outer(Value, frozen=True, kw_only=True):
    name: Annotated[str, Meta(pattern="^[a-z]+$", description="small letters")]
    plain: Annotated[str, Meta(pattern="^[a-z]+$")] = "x"
    on: bool = False
    inner: Inner = Inner()
    many: Annotated[tuple[Inner, ...], Meta(max_length=2)] = ()
    free: dict[str, Any] = msgspec.field(default_factory=dict)
    maybe: Annotated[str, Meta(max_length=3)] | None = None
    pick: Literal["a", "b"] = "a"
    content: bytes = b""


@pytest.mark.parametrize(
    ("data", "named", "reason"),
    [
        ({}, "name", "missing"),
        ({"name": "x", "nmae": "y"}, "nmae", "unknown; known are name, plain, on"),
        ({"name": 7}, "name", "must be text, not a whole number"),
        ({"name": "X"}, "name", "must be small letters"),
        ({"name": "x", "plain": "X"}, "plain", "must be text that matches '^[a-z]+$'"),
        ({"name": "x", "on": 1}, "on", "must be true or false, not a whole number"),
        ({"name": "x", "inner": {"count": True}}, "inner.count", "must be a whole number, not true or false"),
        ({"name": "x", "inner": {"count": 10}}, "inner.count", "must be at most 9"),
        ({"name": "x", "inner": {"count": -1}}, "inner.count", "must be at least 0"),
        ({"name": "x", "inner": {"count": 1.5}}, "inner.count", "must be a whole number"),
        ({"name": "x", "inner": {"cuont": 1}}, "inner.cuont", "unknown; known are count, share"),
        ({"name": "x", "inner": []}, "inner", "must be an object, not a list"),
        ({"name": "x", "many": [{}, {"count": "2"}]}, "many[1].count", "must be a whole number, not text"),
        ({"name": "x", "many": [{}, {}, {}]}, "many", "must be at most 2 items"),
        ({"name": "x", "free": []}, "free", "must be an object"),
        ({"name": "x", "maybe": "abcd"}, "maybe", "must be at most 3 characters"),
        ({"name": "x", "maybe": 3}, "maybe", "must be text or nothing, not a whole number"),
        ({"name": "x", "pick": "c"}, "pick", "must be one of a, b, not 'c'"),
        ({"name": "x", "content": "?"}, "content", "base64"),
        ([], "Outer", "must be an object, not a list"),
    ],
)
def test_what_is_wrong_is_named(data, named, reason):
    for attempt in (lambda: decode(Outer, data), lambda: parse(Outer, json.dumps(data))):
        with pytest.raises(Invalid) as refusal:
            attempt()
        assert refusal.value.field == named
        assert reason in refusal.value.reason


@pytest.mark.parametrize("text", [b"", b"{", b"\xff", b"\xef\xbb\xbf{}", b'{"free": ' + b'{"a":' * 5000])
def test_what_is_no_json_has_no_field(text):
    for attempt in (parse, read):
        with pytest.raises(Invalid) as refusal:
            attempt(Outer, text)
        assert refusal.value.field == ""


def test_what_is_right_is_read_with_its_defaults():
    assert decode(Outer, {"name": "x", "inner": {"share": 1}}) == Outer(name="x", inner=Inner(share=1.0))


def test_where_prefixes_the_names():
    with pytest.raises(Invalid, match=r"^agent\.name: missing"):
        decode(Outer, {}, "agent")


def test_a_rule_of_the_values_own_names_its_field():
    with pytest.raises(Invalid, match=r"^task\.description: is too long: 8194 bytes"):
        decode(NewTask, {"title": "t", "description": "ä" * 4097}, "task")


@pytest.mark.parametrize("name", ["../up", ".hidden", "a/b", "", "x" * 101, "a\n"])
def test_a_files_name_can_not_climb(name):
    with pytest.raises(Invalid, match="plain file name"):
        decode(File, {"name": name, "content": ""})


@pytest.mark.parametrize("title", ["", " ", "a\nb", "a\x1b[2J", "a\u202eb", "a\u2028b", "a\x85", "x" * 201])
def test_a_title_is_one_line_that_forges_nothing(title):
    with pytest.raises(Invalid, match="title"):
        decode(NewTask, {"title": title})


@given(st.binary(max_size=50), st.integers(0, 9), st.text("abcäöü€ ", min_size=1, max_size=20).filter(str.strip))
def test_what_is_written_is_read_back(content, priority, title):
    task = NewTask(title=title, context=(File(name="a.csv", content=content),), priority=priority)
    assert parse(NewTask, dump(task)) == task
    assert decode(NewTask, json.loads(dump(task))) == task


def test_a_request_leaves_its_defaults_out_and_what_is_written_does_not():
    assert dump(NewTask(title="t")) == b'{"title":"t"}'
    assert json.loads(dump(Event(n=1, at="x", kind=EventKind.END))) == {"n": 1, "at": "x", "kind": "end", "data": {}}


class Colour(OpenWord, enum.StrEnum):
    RED = "red"


class Wheel(Written, frozen=True, kw_only=True):
    size: int = 1


class Car(Written, frozen=True, kw_only=True):
    colour: Colour
    wheels: tuple[Wheel, ...] = ()
    spare: Wheel | None = None
    free: dict[str, Any] = msgspec.field(default_factory=dict)


TOMORROW = {
    "colour": "mauve",
    "doors": 5,
    "wheels": [{"size": 1, "make": {"a": [1]}}, {"size": 2}],
    "spare": {"size": 3, "flat": True},
    "free": {"~": {"size": 9}, "unknown": 1},
}


def test_what_another_release_wrote_comes_back_whole():
    car = read(Car, json.dumps(TOMORROW))
    assert json.loads(dump(car)) == TOMORROW
    assert encode(car) == TOMORROW
    assert json.loads(dump([car])) == [TOMORROW]


def test_what_is_carried_survives_a_change_of_what_is_known():
    car = read(Car, json.dumps(TOMORROW))
    changed = replace(car, spare=replace(car.spare, size=4))
    assert json.loads(dump(changed)) == {**TOMORROW, "spare": {"size": 4, "flat": True}}


def test_a_carried_key_never_stands_in_for_a_known_one():
    forged = read(Car, '{"colour": "red", "~": {"colour": "blue", "doors": 3}}')
    assert json.loads(dump(forged))["colour"] == "red"


def test_reading_leniently_still_refuses_what_is_wrong():
    with pytest.raises(Invalid, match=r"^wheels\[0\]\.size: must be a whole number, not text"):
        read(Car, '{"colour": "red", "doors": 5, "wheels": [{"size": "x"}]}')
    with pytest.raises(Invalid, match="colour: missing"):
        read(Car, '{"doors": 5}')


def test_an_unknown_word_keeps_its_text_and_is_known_for_one():
    mauve = read(Car, '{"colour": "mauve"}').colour
    assert (mauve, mauve.value, mauve.is_known) == ("mauve", "mauve", False)
    assert Colour("mauve") == mauve
    assert mauve != Colour.RED
    assert Colour.RED.is_known
    assert (Exit(42), Exit(42).is_known, Exit(0).is_known) == (42, False, True)


def test_a_word_of_another_kind_is_none():
    with pytest.raises(Invalid, match="exit"):
        read(SessionEnd, '{"fence": 1, "exit": true}')
    with pytest.raises(Invalid, match="exit"):
        read(SessionEnd, '{"fence": 1, "exit": "finished"}')


def test_a_request_carries_nothing():
    class Asked(Request, frozen=True, kw_only=True):
        a: int = 1

    for text in ('{"b": 1}', '{"~": {"b": 1}}'):
        with pytest.raises(Invalid, match="unknown; known are a"):
            parse(Asked, text)


def test_a_journal_of_another_release_is_delivered_as_it_was_written():
    event = {"n": 1, "at": "x", "kind": "thought", "data": {"a": 1}, "trace": "t"}
    batch = read(Batch, json.dumps({"fence": 1, "events": [event], "host": "h"}))
    assert json.loads(dump(batch)) == {"fence": 1, "events": [event], "host": "h"}
    assert not batch.events[0].kind.is_known


def test_states_are_still_themselves():
    assert read(SyncRun, '{"started_at": "a", "finished_at": "b", "outcome": "changed"}').outcome.is_known
    assert State("queued") is State.QUEUED
