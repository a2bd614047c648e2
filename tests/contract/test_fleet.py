"""Two dashboards over one table: what must be one is done by one, and goes on when its host is lost."""

from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from dashboard import role_lease
from dashboard.application import create
from dashboard.beside import Beside
from dashboard.record import Conflict
from dashboard.settings import Notify, OffBox, Settings
from dashboard.stores import NoticeFilter, TaskFilter
from dashboard.stores.dynamodb.store import DynamoStore
from dashboard.stores.dynamodb.table import Table
from local.serve import running
from tests import dynamo
from tests.browser import Browser
from tests.tokens import accepting
from wire.client import Client, RequestRefused
from wire.secret import Secret
from wire.types import (
    ClaimRequest,
    Delivery,
    Exit,
    HostDayUse,
    NewTask,
    Presence,
    SessionEnd,
    State,
    SyncOutcome,
    SyncRun,
)

TOKEN = Secret("a-token-of-the-tests")
TARGETS = ("mail", "chat")
SETTINGS = Settings(
    table="us-east-1/jada-queue",
    notify=Notify(targets=TARGETS, remind_hours=0),
    freshness_minutes=65,
    worker_minutes=15,
)


class Clocks:
    """The time of day and the time since the boot, of both hosts; they stand until they are moved."""

    def __init__(self):
        self.seconds = 5000.0

    def boottime(self):
        return self.seconds

    def now(self):
        return datetime(2026, 5, 13, 12, tzinfo=UTC) + timedelta(seconds=self.seconds)


class Host:
    """A dashboard over the table; `step` is what its loops do by themselves."""

    def __init__(self, name, store, clocks, **around):
        self.name, self.store = name, store
        self.app = create(
            store, accepting(TOKEN), SETTINGS, clocks.now, boottime=clocks.boottime, beside=Beside(host=name, **around)
        )
        self.queue = self.app.state.queue

    def step(self):
        self.queue.duties.keep()
        self.queue.look()

    def messages(self):
        return [(message.target, message.id) for message in self.queue.due_messages()]


@pytest.fixture
def clocks():
    return Clocks()


@pytest.fixture
def wire():
    return dynamo.Wire()


@pytest.fixture
def fleet(clocks, wire):
    """Makes hosts over one table."""
    made = dynamo.client(dynamo.address())
    wire.watch(made)
    with dynamo.table(made) as name:

        def begin(host, **around):
            return Host(host, DynamoStore(Table(made, name, pause=lambda _: None), targets=TARGETS), clocks, **around)

        yield begin


@pytest.fixture
def hosts(fleet):
    """The first has the roles."""
    pair = fleet("box-1"), fleet("box-2")
    for host in pair:
        host.step()
    return pair


def alarms(host):
    return {task.dedupe_key: task for task in host.queue.tasks(TaskFilter(state=State.NEEDS_YOU))}


def fail_a_task(host):
    task, _ = host.queue.add(NewTask(title="t"))
    claim = host.queue.claim(ClaimRequest(host=host.name))
    host.queue.end(claim.session.id, SessionEnd(fence=claim.lease.fence, exit=Exit.FAULT, reason="no bwrap"))
    return task.id


def live_on(host, clocks, seconds, every=6):
    """Let time go by on a host, whose loops go on; each step of its watch comes as often as the renewals."""
    for _ in range(seconds // every):
        clocks.seconds += every
        host.step()


def settle(host, message):
    target, name = message
    host.queue.settle_message(Delivery(id=name, target=target, delivered=True, answer="accepted"))


def test_one_of_two_has_the_outbox_and_gives_out_a_message_for_each_target(hosts):
    first, second = hosts
    fail_a_task(second)
    assert second.messages() == []
    message, other = first.messages()
    assert {message[0], other[0]} == {*TARGETS}
    settle(first, message)
    assert (first.messages(), second.messages()) == ([other], [])
    settle(first, other)
    assert first.messages() == []


def test_messages_go_on_under_their_ids_a_minute_after_their_host_is_lost(hosts, clocks):
    first, second = hosts
    fail_a_task(first)
    lost, other = first.messages()
    live_on(second, clocks, 54)
    assert second.messages() == []
    live_on(second, clocks, 12)
    assert second.messages() == [lost, other]
    # The first was only frozen; it gives out nothing, and what it had sent may still be settled with it.
    assert first.messages() == []
    settle(first, lost)
    assert second.messages() == [other]


def test_a_host_that_lives_on_keeps_what_it_has(hosts, clocks):
    first, second = hosts
    fail_a_task(first)
    for _ in range(14):
        clocks.seconds += 6
        first.step()
        second.step()
    assert (len(first.messages()), second.messages()) == (len(TARGETS), [])


def test_alarms_go_on_when_the_watchs_host_is_lost(hosts, clocks):
    _, second = hosts
    clocks.seconds += 66 * 60
    second.step()
    assert "alarm:sync" in alarms(second)
    assert alarms(second)["alarm:host:box-1"].title == "The host box-1 is silent"


def test_an_ended_dashboard_lets_the_watch_go_at_once_and_the_outbox_not(hosts, clocks):
    first, second = hosts
    first.queue.duties.close()
    second.step()
    assert second.queue.duties.has(role_lease.WATCH)
    assert not second.queue.duties.has(role_lease.OUTBOX)
    live_on(second, clocks, 66)
    assert second.queue.duties.has(role_lease.OUTBOX)


def test_a_frozen_watch_that_wakes_writes_nothing_and_gives_its_role_up(hosts, clocks):
    first, second = hosts
    clocks.seconds += 10
    stale = first.queue.duties.under(role_lease.WATCH)
    clocks.seconds += 66 * 60
    second.step()
    second.queue.cancel(alarms(second)["alarm:sync"].id)
    with pytest.raises(Conflict, match="box-2"):
        first.store.alarm(first.queue._alarms_of_all(clocks.now()), under=stale)
    with pytest.raises(Conflict, match="box-2"):
        first.store.change_notices(NoticeFilter(due=9e9), lambda found: found, role_lease.Under("outbox", 1))
    assert "alarm:sync" not in alarms(second)
    first.step()
    assert not first.queue.duties.has(role_lease.WATCH)
    assert second.queue.duties.has(role_lease.WATCH)


def test_a_watch_that_is_lost_between_its_look_and_its_write_is_refused(hosts, clocks, wire):
    first, second = hosts
    clocks.seconds += 65 * 60
    first.queue.duties._note(role_lease.WATCH, 1, clocks.seconds)  # its process stood still, and its clock with it
    taken = second.store.change_role("watch", role_lease.take("watch", second.queue.duties.holder, 20, 0, past=(1, 0)))
    assert taken.holder == second.queue.duties.holder
    first.queue.look()
    assert "alarm:sync" not in alarms(first)
    assert not first.queue.duties.has(role_lease.WATCH)


def test_a_holder_that_cannot_reach_the_table_does_nothing_once_its_time_is_over(hosts, clocks):
    first, _ = hosts
    fail_a_task(first)
    clocks.seconds += 19
    assert len(first.messages()) == len(TARGETS)
    clocks.seconds += 1
    assert first.messages() == []
    first.step()
    assert len(first.messages()) == len(TARGETS)


def test_each_host_tells_of_its_own_disk_and_backup_and_worker(fleet, clocks, tmp_path):
    (tmp_path / "nightly.json").write_text('{"tried_at": "2026-05-13T12:00:00Z", "failed": "no route"}')
    (tmp_path / "called").write_text("jada-2\n")
    around = {"nightly": tmp_path / "nightly.json", "off_box": OffBox(target="s3:x"), "called": tmp_path / "called"}
    first, second = fleet("box-1"), fleet("box-2", **around)
    for host in (first, second):
        host.step()
    second.queue.present(Presence(host="box-2", trouble="bwrap is missing"))
    assert first.queue.duties.has(role_lease.WATCH)
    found = alarms(first)
    assert {"alarm:off-box:box-2", "alarm:worker:box-2"} <= {*found}
    assert "alarm:off-box:box-1" not in found
    # By the name that operators know, and with commands that act there and not on the first host.
    backup, worker = found["alarm:off-box:box-2"], found["alarm:worker:box-2"]
    assert backup.title == "The backup could not be sent off the box: jada-2 (box-2)"
    assert "fab logs --host jada-2 --unit jada-backup" in backup.waiting.text
    assert worker.title == "The worker on jada-2 (box-2) can't work"
    assert "fab ssh --host jada-2 --command 'sudo systemctl restart jada-agent'" in worker.waiting.text
    assert second.queue.wellness().complaints == ("the worker on jada-2 (box-2) can't work: bwrap is missing",)


def test_one_hosts_trouble_makes_none_of_the_dashboards_say_that_all_is_well(hosts, clocks):
    first, second = hosts
    for host in hosts:
        host.queue.present(Presence(host=host.name))
        host.step()
    assert first.queue.wellness().complaints == ()
    second.queue.present(Presence(host="box-2", trouble="bwrap is missing"))
    second.step()
    first.step()
    assert first.queue.wellness().complaints == ("box-2: the worker on box-2 can't work: bwrap is missing",)


def test_a_silent_host_is_told_of_until_it_speaks_or_is_given_up(hosts, clocks):
    first, second = hosts
    first.step()

    def fall_silent():
        clocks.seconds += 15 * 60 + 1
        first.queue.present(Presence(host="box-1"))
        first.step()

    fall_silent()
    assert "alarm:host:box-2" in alarms(first)
    assert "the host box-2 was last heard of" in "\n".join(first.queue.wellness().complaints)
    second.step()
    first.step()
    assert "alarm:host:box-2" not in alarms(first)
    fall_silent()
    first.queue.cancel(alarms(first)["alarm:host:box-2"].id)
    first.step()
    assert "alarm:host:box-2" not in alarms(first)
    assert first.queue.wellness().complaints == ()


def test_a_dashboard_that_began_anew_takes_no_old_word_of_a_host_for_a_sign_of_life(fleet, hosts, clocks):
    first, second = hosts
    first.step()
    clocks.seconds += 15 * 60 + 1
    first.step()
    silent = alarms(first)["alarm:host:box-2"]
    first.queue.duties.close()
    again = fleet("box-1")
    again.queue.present(Presence(host="box-1"))
    again.step()
    again.step()
    assert again.queue.duties.has(role_lease.WATCH)
    assert alarms(again)["alarm:host:box-2"] == silent
    said = again.queue.wellness()
    assert (said.well, said.complaints) == (False, ())
    assert "the host box-2 has not been heard of since the dashboard began" in said.unproven
    second.step()
    again.step()
    assert "alarm:host:box-2" not in alarms(again)
    assert not [line for line in again.queue.wellness().unproven if "box-2" in line]


class GoodWords:
    """What a host says over HTTP where all is well: readyz, the heartbeat's word, the page's first line, /metrics."""

    def __init__(self, client):
        self.client, self.browser = client, Browser(str(client._url), TOKEN)

    def said(self):
        found = {
            "ready": self.browser("GET", "/readyz").status == 200,
            "well": self.is_well(),
            "page": b"All is well" in self.browser("GET").data,
            "metrics": "jada_well 1" in self.client.metrics(),
        }
        return {name for name, is_said in found.items() if is_said}

    def is_well(self):
        try:
            return self.client.wellness().well
        except RequestRefused:
            return False


GOOD = {"ready", "well", "page", "metrics"}


@pytest.fixture
def good_words(fleet, clocks):
    """The first of two hosts, over HTTP, where all was just well; and the second."""
    pair = fleet("box-1"), fleet("box-2")
    for host in (*pair, *pair):
        host.queue.present(Presence(host=host.name))
        host.step()
    at = clocks.now().isoformat()
    pair[0].queue.report(SyncRun(started_at=at, finished_at=at, outcome=SyncOutcome.UNCHANGED))
    with served(pair[0]) as client:
        words = GoodWords(client)
        assert words.said() == GOOD
        yield words, *pair


def later(clocks):
    """After the proof's five seconds, and before anything is late."""
    clocks.seconds += 6


@pytest.mark.parametrize("fault", ["throttled", "500"])
def test_no_host_says_anything_good_while_the_table_takes_no_write(good_words, clocks, wire, fault):
    words, *_ = good_words
    later(clocks)
    wire.faults.extend([fault] * 1000)
    assert words.said() == set()
    wire.faults.clear()
    later(clocks)
    assert words.said() == GOOD


def test_nothing_good_is_said_where_a_write_is_taken_and_not_kept(good_words, clocks, wire):
    words, *_ = good_words
    later(clocks)
    wire.faults.extend([lambda _carry_out: dynamo.answer("{}")] * 1000)
    assert words.said() == set()
    wire.faults.clear()


def test_a_host_is_ready_and_not_well_while_another_is_silent_until_it_speaks(good_words, clocks):
    words, first, second = good_words
    clocks.seconds += 15 * 60 + 1
    first.queue.present(Presence(host="box-1"))
    first.step()
    assert words.said() == {"ready"}
    second.queue.present(Presence(host="box-2"))
    second.step()
    first.step()
    assert words.said() == GOOD


def test_a_host_says_nothing_good_of_hosts_that_it_has_not_heard_of_yet(good_words, fleet):
    first = fleet("box-1")
    first.queue.present(Presence(host="box-1"))
    with served(first) as client:
        words = GoodWords(client)
        assert words.said() == {"ready"}
        first.step()
        assert words.said() == {"ready"}
        good_words[2].step()
        first.step()
        assert words.said() == GOOD


def test_hosts_are_shown_with_their_load_what_runs_where_and_today_each_and_in_all(fleet, clocks):
    hostile = "box-<b>2"
    first, second = fleet("box-1"), fleet(hostile)
    first.queue.duties.keep()
    with served(first) as here, served(second) as there, closing(first.store), closing(second.store):
        here.add_task(NewTask(title="ended"))
        ended = here.claim(ClaimRequest(host="box-1"))
        here.end(ended.session.id, SessionEnd(fence=1, exit=Exit.FINISHED, turns=1, usd_micros=250_000))
        here.add_task(NewTask(title="goes on"))
        runs = there.claim(ClaimRequest(host=hostile))
        for host in (second, first):
            host.queue.look()
        shown = here.hosts()
        one, two = shown.hosts
        assert (one.host, one.roles, one.running, one.today) == (
            "box-1", ("outbox", "watch"), (), HostDayUse(sessions=1, usd_micros=250_000),
        )  # fmt: skip
        assert (two.host, two.roles, [run.task for run in two.running]) == (hostile, (), [runs.task.id])
        assert two.load is not None
        assert two.cpus
        assert not two.silent
        assert shown.today == HostDayUse(sessions=2, usd_micros=250_000)
        page = Browser(str(here._url), TOKEN)("GET").data.decode()
        assert "box-&lt;b&gt;2" in page
        assert "<b>2" not in page
        assert "All hosts today: 2 sessions, $0.25." in page
        clocks.seconds += 15 * 60 + 1
        first.queue.look()
        assert [each.silent for each in here.hosts().hosts] == [False, True]
        assert 'jada_host_silent_seconds{host="box-<b>2"} 901' in here.metrics()


def test_a_host_goes_by_the_name_that_operators_know_it_by(fleet, clocks, tmp_path):
    (tmp_path / "called").write_text("jada-2 <b>\n")
    first, second = fleet("ip-10-0-0-1", called=tmp_path / "none"), fleet("ip-10-0-0-2", called=tmp_path / "called")
    first.queue.duties.keep()
    with served(first) as here, closing(first.store), closing(second.store):
        task = here.add_task(NewTask(title="runs"))
        for host in ("ip-10-0-0-2", "ip-10-0-0-1"):
            here.claim(ClaimRequest(host=host))
        for host in (second, first):
            host.queue.look()
        assert [(each.host, each.called) for each in here.hosts().hosts] == [
            ("ip-10-0-0-1", ""),
            ("ip-10-0-0-2", "jada-2 <b>"),
        ]
        browser = Browser(str(here._url), TOKEN)
        page, story = (browser("GET", path).data.decode() for path in ("/", f"/tasks/{task.id}"))
        session = browser("GET", f"/sessions/{here.sessions(task.id)[0].id}").data.decode()
        assert all("<span>on jada-2 &lt;b&gt; (ip-10-0-0-2)</span>" in each for each in (story, session))
        assert '<strong>jada-2 &lt;b&gt;</strong> <span class="meta">ip-10-0-0-2</span>' in page
        assert "<strong>ip-10-0-0-1</strong>" in page
        assert "began on jada-2 &lt;b&gt; (ip-10-0-0-2)" in story
        clocks.seconds += 15 * 60 + 1
        first.step()
        alarm = alarms(first)["alarm:host:ip-10-0-0-2"]
        assert alarm.title == "The host jada-2 <b> (ip-10-0-0-2) is silent"
        assert "the host jada-2 <b> (ip-10-0-0-2) was last heard of" in "\n".join(first.queue.wellness().complaints)


@contextmanager
def served(host):
    with running(host.app) as url:
        yield Client(url, TOKEN, retries=0)


def test_over_http_the_loops_hold_the_roles_and_another_host_has_nothing_to_do(fleet):
    first, second = fleet("box-1"), fleet("box-2")
    first.queue.duties.keep()
    with served(first) as here, served(second) as there, closing(first.store), closing(second.store):
        here.add_task(NewTask(title="t"))
        claim = there.claim(ClaimRequest(host="box-2"))
        there.end(claim.session.id, SessionEnd(fence=claim.lease.fence, exit=Exit.FAULT, reason="no bwrap"))
        assert there.due_messages() == ()
        assert all(claim.task.id in message.id for message in here.due_messages())
        assert here.due_messages()
    assert not first.queue.duties.has(role_lease.WATCH)
