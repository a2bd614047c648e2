"""What `fab reauth` runs, and which alarms keep it from a good word."""

import pytest

from provision.commands.reauth import command, forwarding, open_alarms
from wire.types import Budget, Need, State, Task, Waiting

AT = "2026-05-13T14:00:00Z"


def test_the_host_listens_on_the_port_that_is_forwarded_and_ends_with_us():
    words = command(40001)
    assert words[:2] == ["sudo", "-n"]
    assert words[-4:] == ["--no-browser", "--end-with-input", "--port", "40001"]
    assert forwarding(40001)[-1] == "127.0.0.1:40001:127.0.0.1:40001"


@pytest.mark.parametrize(
    ("key", "counts"), [("alarm:sync", True), ("alarm:token", True), ("alarm:backup", False), (None, False)]
)
def test_an_open_alarm_of_the_sync_keeps_the_good_word_back(key, counts):
    waiting = Waiting(kind=Need.ALARM, text="out of step", since=AT)
    about = {"id": "T", "title": "t", "description": "", "state": State.NEEDS_YOU, "priority": 9, "version": 1}
    task = Task(**about, budget=Budget(), created_at=AT, updated_at=AT, dedupe_key=key, waiting=waiting)
    assert open_alarms([task]) == (["out of step"] if counts else [])
