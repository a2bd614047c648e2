"""Two hosts over one queue: a task that one of them suspends goes on at the other, with its workspace."""

import functools
import json
import os
import time
from pathlib import Path

import pytest

from agent.daemon.breaker import Breaker
from agent.daemon.claim_key import ClaimKey
from agent.daemon.day import Day
from agent.daemon.lease import boottime
from agent.daemon.link import Link
from agent.daemon.outbox import Outboxes
from agent.daemon.signals import Signals
from agent.daemon.spawn import Process
from agent.daemon.travel import LOST, Workspaces
from agent.daemon.worker import Daemon
from agent.record import workspace
from agent.settings import Settings
from wire.client import Client
from wire.secret import Secret
from wire.systemd import Notify
from wire.types import Reply, State

ENVIRONMENT = {"PATH": os.environ["PATH"]}


@pytest.fixture
def host(site, tmp_path):
    """Make a worker with a state folder of its own."""
    with Signals() as signals:

        def daemon(name):
            state = tmp_path / name
            link = Link(Client(site.url, Secret("a-token"), retries=0))
            workspaces = Workspaces(state / "workspaces")
            made = Daemon(
                settings=Settings(dashboard_url=site.url, poll_seconds=1),
                workspaces=workspaces,
                outboxes=Outboxes(state / "sessions", link, workspaces),
                link=link,
                day=Day(state / "state.json", time.time),
                claim_key=ClaimKey(state / "claim_key.json"),
                breaker=Breaker(lambda: None, boottime),
                signals=signals,
                notify=Notify(None),
                spawn=functools.partial(Process, site.release, environment=ENVIRONMENT),
                host=name,
            )
            made.state = state
            return made

        yield daemon


def files(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def away(daemon):
    """What the session of the only task was told."""
    return json.loads(next(daemon.state.glob("sessions/*/settings.json")).read_text())["away"]


def reply(site, task):
    waits = site.client.task(task.id)
    assert waits.state is State.NEEDS_YOU
    site.client.reply(task.id, Reply(text="go on"), version=waits.version)


def test_a_suspended_task_goes_on_at_another_host_with_the_same_files(site, host):
    task = site.add("write stop look turn")
    first, second = host("one"), host("two")
    assert first.step()
    left = files(first.state / "workspaces" / task.id)
    assert set(left) == {"notes.txt", "sub/more.bin"}
    reply(site, task)
    assert second.step()
    done = site.client.task(task.id)
    assert (done.state, done.sessions_used) == (State.DONE, 1)
    assert json.loads(done.result) == {name: content.hex() for name, content in sorted(left.items())}


def test_what_is_too_large_is_named_to_the_session_that_goes_on(site, host, monkeypatch):
    task = site.add("write stop large stop look stop")
    first, second = host("one"), host("two")
    assert first.step()
    reply(site, task)
    assert first.step()
    reply(site, task)
    assert second.step()
    assert away(second) == [f"large.bin ({workspace.MOST} bytes)"]
    assert set(files(second.state / "workspaces" / task.id)) == {"notes.txt", "sub/more.bin"}


def test_a_host_that_has_the_latest_files_keeps_its_own_large_ones_too(site, host):
    task = site.add("write large stop look stop")
    first = host("one")
    assert first.step()
    reply(site, task)
    assert first.step()
    assert "large.bin" in files(first.state / "workspaces" / task.id)
    assert away(first) == []


def test_a_host_whose_files_are_older_takes_the_newer_ones(site, host):
    task = site.add("write stop write-again stop look stop")
    first, second = host("one"), host("two")
    assert first.step()
    reply(site, task)
    assert second.step()
    reply(site, task)
    place = Path(first.state / "workspaces" / task.id)
    workspace.opened(place).touch()
    assert first.step()
    assert (place / "notes.txt").read_text() == "again"
    # What was opened at the other host is in it too, and nobody here knows of that.
    assert not workspace.opened(place).exists()


def test_a_host_that_is_lost_with_its_files_is_told_to_the_session_that_goes_on(site, host):
    task = site.add("write crash look stop")
    first, second = host("one"), host("two")
    first.outboxes._workspaces = Workspaces(first.state / "elsewhere")  # its disk is gone when it reports
    assert first.step()
    assert site.client.task(task.id).state is State.QUEUED
    assert second.step()
    assert away(second) == [LOST]


def test_what_is_left_of_a_finished_task_goes_when_it_is_delivered(site, host):
    task = site.add("write turn")
    daemon = host("one")
    assert daemon.step()
    assert site.client.task(task.id).state is State.DONE
    assert [
        *daemon.state.glob("sessions/*"),
        *daemon.state.glob("workspaces/*"),
        *daemon.state.glob("workspaces/.*"),
    ] == []
    assert site.client.events(site.client.sessions(task.id)[0].id)
