"""The client against the real application, over HTTP: every call, and every refusal's way back."""

from datetime import datetime

import pytest
from msgspec.structs import replace
from starlette.applications import Starlette
from starlette.routing import Mount

from dashboard.application import create
from dashboard.settings import Notify, Settings
from dashboard.stores.sqlite import SqliteStore
from local.serve import running
from tests.tokens import accepting
from wire.client import Client, RequestRefused, Unreachable
from wire.routes import ClaimWord
from wire.secret import Secret
from wire.types import (
    AskedBudget,
    Batch,
    Budget,
    ClaimRequest,
    Delivery,
    Edit,
    Event,
    EventKind,
    Exit,
    File,
    Heartbeat,
    Keep,
    KeptContent,
    Need,
    NewTask,
    Presence,
    Question,
    Reply,
    SessionEnd,
    State,
    SyncOutcome,
    SyncRun,
    TakeLease,
)

TOKEN = Secret("a-token-of-the-tests")
AT = "2026-05-13T12:00:00Z"


@pytest.fixture
def url(tmp_path):
    store = SqliteStore(tmp_path / "queue.db", targets=("mail",))
    settings = Settings(notify=Notify(targets=("mail",)))
    # Retention is by this clock: a report of `AT` is none that is old enough to go.
    with running(create(store, accepting(TOKEN), settings, lambda: datetime.fromisoformat(AT))) as address:
        yield address
    store.close()


@pytest.fixture
def client(url):
    return Client(url, TOKEN, retries=0)


def claim(client, **fields):
    return client.claim(ClaimRequest(host="h", **fields))


def status(call, *args, **kwargs):
    with pytest.raises(RequestRefused) as refused:
        call(*args, **kwargs)
    return refused.value.problem.status


def test_a_task_asks_is_answered_and_finishes_in_one_session(client):
    files = (File(name="bookings.csv", content=b"id\n\xff"),)
    task = client.add_task(NewTask(title="Ask", description="ü", context=files))
    first = claim(client)
    assert (first.task.id, first.session.new, first.context, first.answers) == (task.id, True, files, ())
    question = Question(tool_use_id="tu", text="Keep or release?")
    waits = client.end(first.session.id, SessionEnd(fence=1, exit=Exit.ASKED, question=question, usd_micros=40))
    assert (waits.state, waits.waiting.text) == (State.NEEDS_YOU, "Keep or release?")
    client.reply(task.id, Reply(text="Release."), version=waits.version)
    second = claim(client, suspended_only=True)
    assert (second.session.id, second.session.new, second.lease.fence) == (first.session.id, False, 2)
    assert (second.answers[0].text, second.session.usd_micros) == ("Release.", 5_000_000)
    report = File(name="report.csv", content=b"a,b\n")
    client.end(second.session.id, SessionEnd(fence=2, exit=Exit.FINISHED, result="Released.", files=(report,)))
    assert client.task(task.id).result == "Released."
    assert client.result_file(task.id, "report.csv") == b"a,b\n"
    assert [s.exit for s in client.sessions(task.id)] == [Exit.FINISHED]


def test_a_task_goes_on_in_a_second_session_from_the_checkpoint(client):
    client.add_task(NewTask(title="Long"))
    first = claim(client)
    client.end(first.session.id, SessionEnd(fence=1, exit=Exit.TURN_LIMIT, turns=30, checkpoint="half"))
    assert claim(client, suspended_only=True) is None
    second = claim(client)
    assert (second.session.new, second.checkpoint, second.task.sessions_used) == (True, "half", 2)
    assert second.session.id != first.session.id


def test_a_journal_travels_in_batches_and_is_read_back(client):
    client.add_task(NewTask(title="t"))
    held = claim(client)
    events = tuple(Event(n=n, at=AT, kind=EventKind.MESSAGE, data={"content": ["ü", n]}) for n in (1, 2, 3))
    assert client.deliver(held.session.id, Batch(fence=1, events=events[:2])).n == 2
    assert client.deliver(held.session.id, Batch(fence=1, events=events)).n == 3
    assert client.events(held.session.id) == events
    assert client.events(held.session.id, after=2) == events[2:]
    assert (
        status(client.deliver, held.session.id, Batch(fence=1, events=(Event(n=9, at=AT, kind=EventKind.END),))) == 409
    )
    assert status(client.deliver, held.session.id, Batch(fence=0, events=())) == 409


def test_a_heartbeat_renews_and_tells_of_a_cancel(client):
    task = client.add_task(NewTask(title="t"))
    claim(client)
    assert client.heartbeat(task.id, Heartbeat(fence=1)).cancelled is False
    assert status(client.heartbeat, task.id, Heartbeat(fence=2)) == 409
    assert client.cancel(task.id).state is State.CANCELLED
    assert client.heartbeat(task.id, Heartbeat(fence=1)).cancelled is True


def test_a_failed_task_is_tried_again(client):
    task = client.add_task(NewTask(title="t"))
    client.end(claim(client).session.id, SessionEnd(fence=1, exit=Exit.FAULT, reason="no bwrap"))
    assert (client.task(task.id).state, client.task(task.id).reason) == (State.FAILED, "no bwrap")
    assert client.retry(task.id).state is State.QUEUED


def test_a_grant_lets_a_task_go_on(client):
    task = client.add_task(NewTask(title="t", budget=AskedBudget(sessions=1)))
    waits = client.end(claim(client).session.id, SessionEnd(fence=1, exit=Exit.TURN_LIMIT))
    assert waits.waiting.kind is Need.BUDGET
    granted = client.reply(task.id, Reply(sessions=1, text="The second half too."), version=waits.version)
    assert (granted.state, granted.budget.sessions) == (State.QUEUED, 2)


def test_priority_and_budget_are_edited(client):
    task = client.add_task(NewTask(title="t"))
    edited = client.edit(task.id, Edit(priority=9, usd_micros=7_000_000), version=task.version)
    assert (edited.priority, edited.budget) == (9, Budget(sessions=5, usd_micros=7_000_000))
    assert status(client.edit, task.id, Edit(priority=1), version=task.version) == 412
    assert client.edit(task.id, Edit(sessions=9)).budget.sessions == 9
    client.cancel(task.id)
    assert status(client.edit, task.id, Edit(priority=1)) == 409


def test_a_key_queues_a_task_once(client):
    first = client.add_task(NewTask(title="t"), key="k")
    assert client.add_task(NewTask(title="t"), key="k") == first
    assert status(client.add_task, NewTask(title="other"), key="k") == 422
    assert len(list(client.tasks())) == 1


def test_all_tasks_are_listed_page_by_page(client):
    added = [client.add_task(NewTask(title=f"t{n}")).id for n in range(60)]
    client.cancel(added[7])
    assert {task.id for task in client.tasks()} == set(added)
    assert [task.id for task in client.tasks(State.CANCELLED)] == [added[7]]
    assert len(list(client.tasks(State.QUEUED))) == 59


def test_tasks_are_searched_filtered_and_sorted(client):
    for number, cost in ((1, 100), (2, 300), (3, 0), (4, 200)):
        labels = ("night",) if number < 3 else ()
        client.add_task(NewTask(title=f"Räume {number}", description=f"{'sea' * number}", labels=labels))
        held = claim(client)
        client.end(held.session.id, SessionEnd(fence=1, exit=Exit.FAULT if cost else Exit.FINISHED, usd_micros=cost))

    def titles(**filters):
        return [task.title[-1] for task in client.tasks(**filters)]

    assert titles(words="raume SEASEA") == ["2"]
    assert titles(sort="cost") == ["2", "4", "1"]
    assert titles(sort="oldest", label="night") == ["1", "2"]
    assert titles(state=State.FAILED, least=150, most=250) == ["4"]
    assert titles(since="2098-01-01T00:00:00Z") == titles(until="2001-01-01T00:00:00+01:00") == []
    assert status(lambda: list(client.tasks(words="…"))) == status(lambda: list(client.tasks(since="May"))) == 422


def test_a_failed_sync_raises_an_alarm_that_a_success_closes(client):
    failed = SyncRun(
        started_at=AT, finished_at=AT, outcome=SyncOutcome.FAILED, error="invalid_grant", cure="auth_ga.py"
    )
    client.report(failed)
    (alarm,) = client.tasks(State.NEEDS_YOU)
    assert (alarm.waiting.kind, "auth_ga.py" in alarm.waiting.text) == (Need.ALARM, True)
    assert claim(client) is None
    good = SyncRun(started_at=AT, finished_at=AT, outcome=SyncOutcome.CHANGED, rows_read=3, added=3)
    client.report(good)
    assert client.task(alarm.id).state is State.DONE
    assert client.sync_runs() == (good, failed)


def test_one_sync_at_a_time_has_the_lease_and_keeps_its_state(client):
    asked = TakeLease(holder="box-1", ttl_s=60, request_s=30)
    lease = client.take_lease(asked)
    assert (lease.held, lease.fence, lease.ttl_s) == (True, 1, 60)
    other = client.take_lease(TakeLease(holder="box-2", ttl_s=60, request_s=30))
    assert (other.held, other.holder) == (False, "box-1")
    assert client.renew_lease(1).held
    assert client.kept("base") is None
    content = bytes(range(256)) * 4000
    assert client.keep("base", Keep(fence=1, version=0, content=content)).version == 1
    assert client.kept("base") == KeptContent(version=1, content=content)
    assert status(client.keep, "base", Keep(fence=1, version=5, content=b"")) == 409
    client.release_lease(1)
    assert status(client.renew_lease, 1) == status(client.keep, "base", Keep(fence=1, version=1, content=b"")) == 409
    assert client.take_lease(TakeLease(holder="box-2", ttl_s=60, request_s=30)).fence == 2


def test_what_cannot_be_a_kept_contents_name_is_not_found(client):
    client.take_lease(TakeLease(holder="h", ttl_s=60, request_s=0))
    assert status(client.keep, "../base", Keep(fence=1, version=0, content=b"")) == 404
    assert status(client.keep, "base#1", Keep(fence=1, version=0, content=b"")) == 404


def test_a_failed_task_is_a_message_until_it_is_settled(client):
    task = client.add_task(NewTask(title="t"))
    client.end(claim(client).session.id, SessionEnd(fence=1, exit=Exit.FAULT, reason="no bwrap"))
    (message,) = client.due_messages()
    assert (message.target, task.id in message.id, "no bwrap" in message.text) == ("mail", True, True)
    assert client.notifications().unsent == 1
    tried = Delivery(id=message.id, target="mail", delivered=True, answer="accepted")
    assert client.settle_message(tried) == tried
    assert (client.due_messages(), client.notifications().unsent) == ((), 0)


def test_a_worker_that_lives_and_a_sync_that_failed_are_known(client):
    assert client.wellness().well is False
    client.report(SyncRun(started_at=AT, finished_at=AT, outcome=SyncOutcome.UNCHANGED))
    assert client.present(Presence(host="h")).well
    assert client.today("h").usd_micros == {}
    client.report(SyncRun(started_at=AT, finished_at=AT, outcome=SyncOutcome.FAILED))
    assert client.wellness().well is False


def test_a_claim_asked_for_again_is_the_same_or_none(client):
    client.add_task(NewTask(title="t"))
    here = ClaimRequest(host="h")
    claim = client.claim(here, key="k", words=[ClaimWord.DAY])
    assert claim.day.usd_micros == {}
    assert client.claim(here, key="k", words=[ClaimWord.AGAIN]) == replace(claim, day=None)
    client.end(claim.session.id, SessionEnd(fence=1, exit=Exit.DRAINED))
    assert status(client.claim, here, key="k") == 409
    assert status(client.claim, here, key="unheard of", words=[ClaimWord.AGAIN, ClaimWord.DAY]) == 409


def test_how_sessions_ended_is_counted_by_day_week_and_month(client):
    one = NewTask(title="t", budget=AskedBudget(sessions=1))
    for end in ({"exit": Exit.TURN_LIMIT, "turns": 30, "checkpoint": "half"}, {"exit": Exit.FAULT, "turns": 2}):
        client.add_task(one)
        claimed = claim(client)
        client.end(claimed.session.id, SessionEnd(fence=claimed.lease.fence, **end))
    told = client.rates()
    assert [(one.hours, one.begun, one.hits, one.failed) for one in told.periods] == [
        (24, 2, 1, 1), (168, 2, 1, 1), (672, 2, 1, 1),
    ]  # fmt: skip
    assert (told.turns, told.is_all, len(told.days)) == (30, True, 28)
    assert sum(day.hits for day in told.days) == 1


def test_what_is_not_there_is_refused_as_such(client):
    for call in (client.task, client.sessions, client.cancel, client.retry, client.events):
        assert status(call, "0" * 26) == 404
    assert status(client.result_file, client.add_task(NewTask(title="t")).id, "nothing.csv") == 404


def test_a_wrong_token_is_refused_and_health_needs_none(url):
    stranger = Client(url, Secret("another"), retries=0)
    assert status(stranger.claim, ClaimRequest(host="h")) == 401
    assert stranger.health().status == "ok"


def test_a_dashboard_below_a_path_is_called_there(tmp_path):
    store = SqliteStore(tmp_path / "queue.db")
    with running(Starlette(routes=[Mount("/queue", create(store, accepting(TOKEN)))])) as address:
        assert Client(f"{address}/queue/", TOKEN).health().status == "ok"
    store.close()


def test_no_one_there_is_unreachable():
    with pytest.raises(Unreachable, match="did not answer"):
        Client("http://127.0.0.1:9", TOKEN, retries=0, timeout_s=2).health()
