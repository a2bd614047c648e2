import json

import pytest

from provision.onhost.events import Events


@pytest.fixture
def events(tmp_path):
    return Events(tmp_path / "events", clock=lambda: 5.0)


def test_each_event_is_a_line_with_its_time(events):
    events.emit(note="a\nb")
    assert events.path.read_text() == json.dumps({"note": "a\nb", "at": 5.0}) + "\n"
    assert events.path.stat().st_mode & 0o777 == 0o600


def test_a_step_is_done_or_broken(events):
    with events.step("one"):
        pass
    with pytest.raises(ValueError, match="no"), events.step("two"):
        raise ValueError("no")
    assert [next(iter(event)) for event in events.read()] == ["begin", "done", "begin", "broken"]


def test_a_torn_line_is_passed_over_and_the_next_event_is_whole(events):
    events.emit(note="one")
    with events.path.open("ab") as torn:
        torn.write(b'{"begin": "unp')
    events.emit(failed="cut off")
    assert [event.get("note") or event.get("failed") for event in events.read()] == ["one", "cut off"]


def test_the_last_word_is_there_only_when_it_was_said(events):
    assert events.last() is None
    events.emit(begin="switch")
    events.emit(deployed="r1")
    assert events.last() is None
    assert events.says("deployed")
    events.emit(proven="r1")
    assert events.last() == {"proven": "r1", "at": 5.0}
