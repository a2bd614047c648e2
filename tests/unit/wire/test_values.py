"""Plain data is read strictly: whatever is wrong is refused by the name of its field."""

import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.types import Event, EventKind, File, NewTask, SessionEnd
from wire.values import Invalid, decode, encode, rule, section


@dataclass(frozen=True)
class Inner:
    count: int = rule(default=1, least=0, most=9)
    share: float = 0.5


@dataclass(frozen=True)
class Outer:
    name: str = rule(pattern="[a-z]+")
    on: bool = False
    inner: Inner = Inner()
    many: tuple[Inner, ...] = rule(default=(), longest=2)
    free: dict[str, Any] = field(default_factory=dict)
    maybe: str | None = rule(default=None, longest=3)
    pick: str = rule(default="a", choices=("a", "b"))


@pytest.mark.parametrize(
    ("data", "named", "reason"),
    [
        ({}, "name", "missing"),
        ({"name": "x", "nmae": "y"}, "nmae", "unknown; known are name, on"),
        ({"name": 7}, "name", "must be text, not a whole number"),
        ({"name": "X"}, "name", "must match [a-z]+"),
        ({"name": "x", "on": 1}, "on", "must be true or false, not a whole number"),
        ({"name": "x", "inner": {"count": True}}, "inner.count", "must be a whole number, not true or false"),
        ({"name": "x", "inner": {"count": 10}}, "inner.count", "must be at most 9"),
        ({"name": "x", "inner": {"count": -1}}, "inner.count", "must be at least 0"),
        ({"name": "x", "inner": {"count": 1.5}}, "inner.count", "must be a whole number"),
        ({"name": "x", "inner": []}, "inner", "must be an object, not a list"),
        ({"name": "x", "many": [{}, {"count": "2"}]}, "many[1].count", "must be a whole number, not text"),
        ({"name": "x", "many": [{}, {}, {}]}, "many", "too long: 3, at most 2"),
        ({"name": "x", "free": []}, "free", "must be an object"),
        ({"name": "x", "maybe": "äö"}, "maybe", "too long: 4, at most 3"),
        ({"name": "x", "pick": "c"}, "pick", "must be one of a, b"),
        ([], "Outer", "must be an object, not a list"),
    ],
)
def test_what_is_wrong_is_named(data, named, reason):
    with pytest.raises(Invalid) as refusal:
        decode(Outer, data)
    assert refusal.value.field == named
    assert reason in refusal.value.reason


def test_what_is_right_is_read_with_its_defaults():
    assert decode(Outer, {"name": "x", "inner": {"share": 1}}) == Outer("x", inner=Inner(share=1.0))


def test_where_prefixes_the_names():
    with pytest.raises(Invalid, match=r"^agent\.name: missing"):
        decode(Outer, {}, "agent")


def test_nothing_is_a_value_where_it_may_be():
    assert decode(Outer, {"name": "x", "maybe": None}).maybe is None


def test_bad_base64_is_named():
    with pytest.raises(Invalid, match="content: is not valid base64"):
        decode(File, {"name": "a", "content": "?"})


def test_an_unknown_exit_is_refused_with_the_known_ones():
    with pytest.raises(Invalid, match="exit: must be one of 0, 1, 2"):
        decode(SessionEnd, {"fence": 1, "exit": 6})


@pytest.mark.parametrize("name", ["../up", ".hidden", "a/b", "", "x" * 101])
def test_a_files_name_can_not_climb(name):
    with pytest.raises(Invalid):
        decode(File, {"name": name, "content": ""})


@given(st.binary(max_size=50), st.integers(0, 9), st.text(max_size=20).filter(str.strip))
def test_what_is_written_is_read_back(content, priority, title):
    task = NewTask(title=title, context=(File(name="a.csv", content=content),), priority=priority)
    assert decode(NewTask, json.loads(json.dumps(encode(task)))) == task


def test_an_event_keeps_its_data():
    event = Event(n=1, at="2026-05-13T00:00:00Z", kind=EventKind.SETTLE, data={"usage": {"input_tokens": 3}})
    assert decode(Event, json.loads(json.dumps(encode(event)))) == event


@pytest.mark.parametrize(("text", "reason"), [(None, "can't be read"), ("a = ", "is not valid TOML"), ("\xff", "TOML")])
def test_a_settings_file_that_is_none_is_named(tmp_path, text, reason):
    path = tmp_path / "jada.local.toml"
    if text is not None:
        path.write_bytes(text.encode("latin-1"))
    with pytest.raises(Invalid) as refusal:
        section(Inner, path, "inner")
    assert refusal.value.field == str(path)
    assert reason in refusal.value.reason


def test_an_absent_section_is_all_defaults(tmp_path):
    (tmp_path / "jada.local.toml").write_text("[other]\ncount = 99\n")
    assert section(Inner, tmp_path / "jada.local.toml", "inner") == Inner()
