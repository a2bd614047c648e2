"""Two releases meet: tomorrow's writes, today's reads, serves, claims, delivers, ends and syncs, and loses nothing."""

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime

import pytest
import urllib3

from agent.daemon import day, outcome
from dashboard import outgoing, record, role_lease
from dashboard.application import create
from dashboard.stores.sqlite import SqliteStore
from local.serve import running
from tests.browser import Browser
from tests.contract import tomorrow
from tests.tokens import accepting
from wire import types
from wire.client import Client, RequestRefused
from wire.secret import Secret
from wire.types import Batch, ClaimRequest, Event, EventKind, Exit, File, Heartbeat, NewTask, Reply, SessionEnd, State
from wire.values import Invalid, Request, Written, dump, parse, read

TOKEN = Secret("a-token-of-the-tests")


def at():
    """Now, and not when this was imported: of a run an hour ago the watch raises an alarm, which is a task more."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def values(base):
    modules = (types, record, outgoing, role_lease, day, outcome)
    classes = (value for module in modules for value in vars(module).values() if isinstance(value, type))
    return sorted({cls for cls in classes if issubclass(cls, base) and cls is not base}, key=lambda cls: cls.__name__)


@pytest.mark.parametrize("cls", values(Written), ids=lambda cls: cls.__name__)
def test_what_tomorrow_writes_is_read_and_written_back_whole(cls):
    for data in tomorrow.written(cls):
        assert json.loads(dump(read(cls, json.dumps(data)))) == data


@pytest.mark.parametrize("cls", values(Request), ids=lambda cls: cls.__name__)
def test_what_tomorrow_asks_is_refused_by_name_and_never_half_done(cls):
    with pytest.raises(Invalid, match=f"{tomorrow.FIELD}: unknown"):
        parse(cls, json.dumps({tomorrow.FIELD: 1}))


class Tomorrow:
    """Today's dashboard with tomorrow's answers: each object has one field more."""

    def __init__(self, app):
        self._app = app

    async def __call__(self, scope, receive, send):
        start, sent = None, b""

        async def more(message):
            nonlocal start, sent
            if message["type"] == "http.response.start":
                start = message
                return
            if message["type"] == "http.response.body" and start:
                sent += message.get("body", b"")
                if message.get("more_body"):
                    return  # a long answer comes in pieces
                body = sent
                if body[:1] in (b"{", b"["):
                    body = json.dumps(tomorrow.with_more(json.loads(body))).encode()
                kept = [(k, v) for k, v in start["headers"] if k.lower() != b"content-length"]
                length = [(b"content-length", str(len(body)).encode())]
                await send({**start, "headers": kept + length})
                await send({**message, "body": body})
                return
            await send(message)

        await self._app(scope, receive, more if scope["type"] == "http" else send)


def work(client):
    """All that a worker, a sync and an operator ask of a queue, once; returns the finished task."""
    asked = client.add_task(NewTask(title="asks", context=(File(name="a.csv", content=b"1"),)), key="k")
    claim = client.claim(ClaimRequest(host="h"))
    assert (claim.task.id, claim.context[0].content) == (asked.id, b"1")
    fence = claim.lease.fence
    assert client.heartbeat(asked.id, Heartbeat(fence=fence)).ttl_s > 0
    assert (
        client.deliver(claim.session.id, Batch(fence=fence, events=(Event(n=1, at=at(), kind=EventKind.HEADER),))).n
        == 1
    )
    question = types.Question(tool_use_id="tu", text="keep?")
    waits = client.end(claim.session.id, SessionEnd(fence=fence, exit=Exit.ASKED, question=question))
    client.reply(asked.id, Reply(text="keep"), version=waits.version)
    again = client.claim(ClaimRequest(host="h"))
    assert (again.session.id, again.answers[0].text) == (claim.session.id, "keep")
    files = (File(name="r.txt", content=b"done"),)
    client.end(claim.session.id, SessionEnd(fence=again.lease.fence, exit=Exit.FINISHED, result="kept", files=files))
    assert client.result_file(asked.id, "r.txt") == b"done"
    run = types.SyncRun(started_at=at(), finished_at=at(), outcome=types.SyncOutcome.CHANGED)
    client.report(run)
    return client.task(asked.id)


def test_todays_client_works_with_tomorrows_dashboard(tmp_path):
    store = SqliteStore(tmp_path / "queue.db")
    with closing(store), running(Tomorrow(create(store, accepting(TOKEN)))) as url:
        client = Client(url, TOKEN)
        done = work(client)
        assert (done.state, done.result) == (State.DONE, "kept")
        assert [task.id for task in client.tasks()] == [done.id]
        assert len(client.sessions(done.id)) == 1
        assert client.events(client.sessions(done.id)[0].id)[0].kind is EventKind.HEADER
        with pytest.raises(RequestRefused, match="404"):
            client.task("0" * 26)


@pytest.fixture
def over(tmp_path):
    """Today's dashboard over a queue that tomorrow's has written into; yields its URL and the file."""
    path = tmp_path / "queue.db"
    store = SqliteStore(path)
    with closing(store), running(create(store, accepting(TOKEN))) as url:
        client = Client(url, TOKEN)
        work(client)
        for title in ("paused", "ended strangely", "waits strangely", "next"):
            client.add_task(NewTask(title=title))
    with sqlite3.connect(path) as db:
        # Not those of the index of words: they are SQLite's own.
        listed = (
            "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite_%'"
        )
        tables = [name for (name,) in db.execute(listed)]
        for table in tables:
            db.execute(f"ALTER TABLE {table} ADD COLUMN colour TEXT DEFAULT 'mauve'")
        for table, key in (("tasks", "id"), ("sessions", "id"), ("sync_runs", "n")):
            for name, text in db.execute(f"SELECT {key}, record FROM {table} WHERE record IS NOT NULL").fetchall():
                data = tomorrow.with_more(json.loads(text))
                db.execute(f"UPDATE {table} SET record = ? WHERE {key} = ?", (json.dumps(data), name))
        _change(db, "paused", "$.task.state", "paused")
        db.execute("UPDATE tasks SET state = 'paused' WHERE record LIKE '%\"paused\"%'")
        _change(db, "waits strangely", "$.task.state", "needs_you")
        _change(db, "waits strangely", "$.task.waiting", {"kind": "signature", "text": "sign", "since": at()})
        db.execute("UPDATE tasks SET state = 'needs_you' WHERE record LIKE '%waits strangely%'")
        db.execute("UPDATE sync_runs SET record = json_set(record, '$.outcome', 'partly'), outcome = 'partly'")
        db.execute(f"PRAGMA user_version = {db.execute('PRAGMA user_version').fetchone()[0] + 1}")
    store = SqliteStore(path)
    with closing(store), running(create(store, accepting(TOKEN))) as url:
        yield url, path


def _change(db, title, where, value):
    text = value if isinstance(value, str) else json.dumps(value)
    new = "json(?)" if not isinstance(value, str) else "?"
    sql = f"UPDATE tasks SET record = json_set(record, ?, {new}) WHERE record LIKE ?"
    assert db.execute(sql, (where, text, f'%"{title}"%')).rowcount == 1


def rows(path, table):
    with closing(sqlite3.connect(path)) as db:
        return [json.loads(text) for (text,) in db.execute(f"SELECT record FROM {table} WHERE record IS NOT NULL")]


def test_todays_dashboard_serves_what_tomorrows_wrote(over):
    url, _ = over
    client = Client(url, TOKEN)
    tasks = {task.title: task for task in client.tasks()}
    assert tasks["paused"].state == "paused"
    assert tasks["asks"].unknown == {tomorrow.FIELD: {"a": [1]}}
    browser = Browser(url, TOKEN)
    for path in ("/", "/?state=done", *(f"/tasks/{task.id}" for task in tasks.values())):
        page = browser("GET", path)
        assert (page.status, path) == (200, path)
    shown = browser("GET").data.decode()
    for word in ("“paused”, which this release does not know", "“signature”", "“partly”"):
        assert word in shown


def test_unknown_words_are_never_claimed_and_never_lost(over):
    url, path = over
    client = Client(url, TOKEN)
    given = []
    while claim := client.claim(ClaimRequest(host="h")):
        given.append(claim.task.title)
    assert given == ["ended strangely", "next"]
    assert {"paused", "needs_you"} <= {row["task"]["state"] for row in rows(path, "tasks")}


def test_a_claim_deliver_end_and_sync_over_tomorrows_rows_keep_tomorrows_keys(over):
    url, path = over
    client = Client(url, TOKEN)
    claim = client.claim(ClaimRequest(host="h"))
    report = {"fence": claim.lease.fence, "events": [{"n": 1, "at": at(), "kind": "thought", "data": {}, "trace": "t"}]}
    post = {"Authorization": f"Bearer {TOKEN.reveal()}"}
    sent = urllib3.request(
        "POST", f"{url}/v1/sessions/{claim.session.id}/events", json=tomorrow.with_more(report), headers=post
    )
    assert sent.json() == {"n": 1}
    assert client.events(claim.session.id)[0].unknown == {"trace": "t", tomorrow.FIELD: {"a": [1]}}
    end = {"fence": claim.lease.fence, "exit": 42, "reason": "reviewed", "turns": 1, "usd_micros": 5, "verdict": "fine"}
    ended = urllib3.request("POST", f"{url}/v1/sessions/{claim.session.id}/end", json=end, headers=post)
    assert (ended.status, ended.json()["state"]) == (200, "needs_you")
    assert "exit 42, which this release does not know" in ended.json()["waiting"]["text"]
    assert client.sessions(claim.task.id)[0].unknown == {"verdict": "fine"}
    run = {"started_at": at(), "finished_at": at(), "outcome": "changed", "tabs": 3}
    assert urllib3.request("POST", f"{url}/v1/sync-runs", json=run, headers=post).status == 201
    assert client.sync_runs()[0].unknown == {"tabs": 3}
    page = Browser(url, TOKEN)("GET", f"/tasks/{claim.task.id}").data.decode()
    assert "ended by exit 42, which this release does not know" in page
    assert "A record of the kind “thought”" in page
    with closing(sqlite3.connect(path)) as db:
        (row,) = db.execute("SELECT record, colour FROM tasks WHERE id = ?", (claim.task.id,)).fetchall()
    kept = json.loads(row[0])
    assert (kept[tomorrow.FIELD], kept["task"]["budget"][tomorrow.FIELD], row[1]) == ({"a": [1]}, {"a": [1]}, "mauve")
