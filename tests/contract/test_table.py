"""A dashboard whose queue is a table: as a program, over AWS's own DynamoDB on this machine."""

import contextlib
import os
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from dashboard import copy as copying
from dashboard import opening
from dashboard import restore as putting_back
from dashboard.application import utc_now
from dashboard.backup import Backups
from dashboard.record import Lost, Unready
from dashboard.settings import Settings
from local.process import wait_until
from tests import dynamo
from wire.client import Client, RequestRefused, Unreachable
from wire.types import Batch, ClaimRequest, Event, EventKind, Exit, File, Heartbeat, NewTask, SessionEnd, State
from wire.values import Invalid

ROOT = Path(__file__).parents[2]
AT = "2026-05-13T12:00:00Z"


@pytest.fixture
def table():
    """A new table, as the setting names it."""
    with dynamo.table(dynamo.client(dynamo.address())) as name:
        yield f"{dynamo.address()}/{name}"


def give_key(folder, text="local:local"):
    folder.mkdir(exist_ok=True)
    (folder / "table_key").write_text(f"{text}\n")
    return {"CREDENTIALS_DIRECTORY": str(folder)}


@contextlib.contextmanager
def serving(state, table):
    """A host's dashboard; yields its client and its process."""
    state.mkdir(exist_ok=True)
    settings = state / "jada.toml"
    settings.write_text(f'[dashboard]\nsocket = "{state}/queue.sock"\ntable = "{table}"\n')
    command = [sys.executable, "-m", "dashboard", "--settings", str(settings), "--state", str(state)]
    with subprocess.Popen(command, env={**os.environ, **give_key(state)}, cwd=ROOT) as process:
        client = Client(f"unix:{state}/queue.sock", retries=0)
        try:
            wait_for(client, process)
            yield client, process
        finally:
            process.kill()


def wait_for(client, process):
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(Unreachable):
            return client.health()
        time.sleep(0.05)
    raise AssertionError("the dashboard did not come up")


def test_what_one_hosts_dashboard_was_told_another_hosts_goes_on_with(table, tmp_path):
    with serving(tmp_path / "one", table) as (first, process):
        new = NewTask(title="count", description="x" * 3000, context=(File(name="a.csv", content=b"1"),))
        task = first.add_task(new, key="k")
        claim = first.claim(ClaimRequest(host="one"), key="c")
        event = Event(n=1, at=AT, kind=EventKind.HEADER)
        first.deliver(claim.session.id, Batch(fence=claim.lease.fence, events=(event,)))
        process.kill()
    with serving(tmp_path / "two", table) as (second, _):
        assert second.add_task(new, key="k").id == task.id
        assert second.claim(ClaimRequest(host="one"), key="c") == claim
        assert second.events(claim.session.id) == (event,)
        second.heartbeat(task.id, Heartbeat(fence=claim.lease.fence))
        end = SessionEnd(fence=claim.lease.fence, exit=Exit.FINISHED, result="y" * 3000)
        assert second.end(claim.session.id, end).state is State.DONE
        assert second.task(task.id).result == "y" * 3000
        assert [each.id for each in second.tasks()] == [task.id]


def test_a_table_that_is_gone_is_not_called_ready(table, tmp_path):
    with serving(tmp_path / "one", table) as (client, _):
        assert client.ready()
        dynamo.client(dynamo.address()).delete_table(TableName=table.rpartition("/")[2])
        # A proof holds for some seconds.
        assert wait_until(lambda: is_refused(client), 30)


def is_refused(client):
    try:
        client.ready()
    except RequestRefused as error:
        return "cannot be used (ResourceNotFoundException)" in str(error)
    return False


def test_a_search_by_words_is_refused_by_name(table, tmp_path):
    with (
        serving(tmp_path / "one", table) as (client, _),
        pytest.raises(RequestRefused, match="words: cannot be searched in a queue on DynamoDB"),
    ):
        list(client.tasks(words="harbour"))


def test_a_copy_of_a_table_is_a_file_that_is_put_in_place_of_it(table, tmp_path):
    state = tmp_path / "one"
    with serving(state, table) as (client, _):
        task = client.add_task(NewTask(title="count", description="x" * 3000), key="k")
        copy = client.back_up()
        assert client.backups() == (copy,)
    with pytest.raises(Lost, match="only its dashboard can copy"):
        copying.copy(state)
    kept = putting_back.restore(state, state / "backups" / copy.name, utc_now())
    assert [name.partition(".before-")[0] for name in kept] == ["queue.table"]
    with closing(opening.opened(state, Settings())) as store:
        assert store.get(task.id).task.title == "count"
    # The table is as it was, but not for this host: a queue of which it has a file.
    with pytest.raises(Invalid, match="fab move-queue --to table"):
        open_at(state, table)


def test_no_copy_of_a_table_is_made_each_night(table, tmp_path):
    with closing(opening.opened(tmp_path, Settings(table=table), give_key(tmp_path))) as store:
        Backups(store, tmp_path / "backups", Settings(table=table), utc_now).make_if_due()
    assert not (tmp_path / "backups").exists()


def open_at(state, table, environ=None):
    state.mkdir(exist_ok=True)
    store = opening.opened(state, Settings(table=table), give_key(state) if environ is None else environ)
    store.close()


def test_tasks_in_a_file_are_not_left_behind_when_the_setting_changes(table, tmp_path):
    open_at(tmp_path, "")
    with pytest.raises(Invalid, match="fab move-queue --to table"):
        open_at(tmp_path, table)


def test_tasks_in_a_table_are_not_left_behind_when_the_setting_goes(table, tmp_path):
    open_at(tmp_path, table)
    with pytest.raises(Lost, match="is in the table"):
        open_at(tmp_path, "")
    assert not (tmp_path / "queue.db").exists()


def test_a_table_that_was_made_anew_is_not_begun_anew(table, tmp_path):
    open_at(tmp_path, table)
    made = dynamo.client(dynamo.address())
    other = f"{dynamo.address()}/{dynamo.new_table(made)}"
    open_at(tmp_path / "elsewhere", other)
    with pytest.raises(Lost, match="another queue"):
        open_at(tmp_path, other)
    open_at(tmp_path, table)


def test_a_key_that_is_missing_or_none_is_named_and_never_shown(table, tmp_path):
    with pytest.raises(Invalid, match="table_key: is missing"):
        open_at(tmp_path, table, {})
    with pytest.raises(Invalid, match="table_key: is no key") as refused:
        open_at(tmp_path, table, give_key(tmp_path, "SECRETWITHOUTID"))
    assert "SECRETWITHOUTID" not in str(refused.value)


def test_a_table_that_is_not_there_is_named(tmp_path):
    with pytest.raises(Unready, match="the table not-there cannot be used"):
        open_at(tmp_path, f"{dynamo.address()}/not-there")
