"""What `fab reauth` runs, and which alarms keep it from a good word."""

import os

import pytest

from provision.commands.reauth import command, forwarding, record, require_closed
from provision.errors import CommandError
from provision.reach.keyfiles import KeyFiles
from wire.types import Budget, Need, State, Task, Waiting

AT = "2026-05-13T14:00:00Z"


def test_the_host_listens_on_the_port_that_is_forwarded_and_ends_with_us():
    words = command(40001)
    assert words[:2] == ["sudo", "-n"]
    assert words[-4:] == ["--no-browser", "--end-with-input", "--port", "40001"]
    assert forwarding(40001)[-1] == "127.0.0.1:40001:127.0.0.1:40001"


def alarm(key, text="out of step"):
    waiting = Waiting(kind=Need.ALARM, text=text, since=AT)
    about = {"id": "T", "title": "t", "description": "", "state": State.NEEDS_YOU, "priority": 9, "version": 1}
    return Task(**about, budget=Budget(), created_at=AT, updated_at=AT, dedupe_key=key, waiting=waiting)


@pytest.mark.parametrize("key", ["alarm:sync", "alarm:token"])
def test_an_open_alarm_of_the_sync_keeps_the_good_word_back(key):
    with pytest.raises(CommandError, match="the token is new, and yet an alarm is open: out of step"):
        require_closed([alarm("alarm:backup"), alarm(key)])


def test_other_alarms_do_not():
    require_closed([alarm("alarm:backup"), alarm(None)])


def test_what_the_booking_system_said_can_not_act_on_the_terminal():
    with pytest.raises(CommandError) as refused:
        require_closed([alarm("alarm:sync", "HTTP 500: \x1b]0;owned\x07")])
    assert "HTTP 500: \\x1b]0;owned\\x07" in str(refused.value)


@pytest.mark.process
def test_a_host_that_can_not_record_the_new_token_says_why_and_what_does_it_later(tmp_path, monkeypatch):
    (tmp_path / "ssh").write_text("#!/bin/sh\ncat >/dev/null\necho 'sudo: a password is required' >&2\nexit 1\n")
    (tmp_path / "ssh").chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(CommandError, match="sudo: a password is required") as refused:
        record(KeyFiles(tmp_path, "box", "127.0.0.1", 1))
    assert "`fab accept 'secret port_sheet_token.json'`" in refused.value.cure
