"""Roles and what their holders keep, on every store: what must be one among several hosts is one."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress

import pytest

from dashboard import outgoing, role_lease, watch
from dashboard.record import Conflict
from dashboard.roles import Roles
from dashboard.stores import Kept, NoticeFilter
from dashboard.stores.retention import Before
from tests import dynamo
from tests.contract.test_stores import NOW


class Boottime:
    """A clock that stands until it is moved."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


def take(store, holder, past=None):
    return store.change_role("sync", role_lease.take("sync", holder, 60, 30, past))


def test_a_role_has_one_holder_and_a_new_fence_with_each_taking(store):
    assert store.roles() == {}
    first = take(store, "a")
    assert (first.holder, first.fence, first.beat) == ("a", 1, 0)
    assert take(store, "b") == first
    assert store.roles() == {"sync": first}
    assert take(store, "a").fence == 2
    assert take(store, "b", past=(1, 0)).holder == "a"
    assert (take(store, "b", past=(2, 0)).holder, store.roles()["sync"].fence) == ("b", 3)


def test_of_many_that_race_for_a_role_one_gets_it(store):
    for round_ in range(1, 4):
        with ThreadPoolExecutor(8) as pool:
            found = [*pool.map(lambda n: take(store, f"h{n}"), range(8))]
        assert {each.fence for each in found} == {round_}
        (winner,) = {each.holder for each in found}
        store.change_role("sync", role_lease.release("sync", round_))
        assert winner in {f"h{n}" for n in range(8)}


def test_of_many_that_take_over_from_one_that_is_past_one_gets_it(store):
    take(store, "dead")
    with ThreadPoolExecutor(8) as pool:
        found = [*pool.map(lambda n: take(store, f"h{n}", past=(1, 0)), range(8))]
    assert len({(each.holder, each.fence) for each in found}) == 1


def test_a_beat_keeps_a_role_and_a_stale_fence_is_refused_all(store):
    take(store, "a")
    assert store.change_role("sync", role_lease.renew("sync", 1)).beat == 1
    assert take(store, "b", past=(1, 0)).holder == "a"
    take(store, "b", past=(1, 1))
    for move in (role_lease.renew("sync", 1), role_lease.release("sync", 1)):
        with pytest.raises(Conflict, match="b has it now"):
            store.change_role("sync", move)
    assert store.roles()["sync"].holder == "b"


def test_a_released_role_is_taken_at_once_and_its_fence_is_stale(store):
    take(store, "a")
    for _ in range(2):
        assert store.change_role("sync", role_lease.release("sync", 1)).holder is None
    with pytest.raises(Conflict, match="no one has it now"):
        store.change_role("sync", role_lease.renew("sync", 1))
    with pytest.raises(Conflict):
        store.keep("sync", 1, "base", b"late", 0)
    assert take(store, "b").fence == 2


def test_a_content_is_kept_whole_by_version_and_found(store):
    take(store, "a")
    assert store.kept("sync", "base") is None
    large = bytes(range(256)) * 8192
    assert store.keep("sync", 1, "base", large, 0) == 1
    assert store.kept("sync", "base") == Kept(1, large)
    assert store.keep("sync", 1, "base", b"", 1) == 2
    assert store.kept("sync", "base") == Kept(2, b"")
    assert store.kept("sync", "history") is store.kept("watch", "base") is None


def test_a_stale_fence_keeps_nothing(store):
    take(store, "frozen")
    store.keep("sync", 1, "base", b"one", 0)
    take(store, "next", past=(1, 0))
    with pytest.raises(Conflict, match="fence 1 was lost"):
        store.keep("sync", 1, "base", b"from the past", 1)
    assert store.keep("sync", 2, "base", b"two", 1) == 2
    with pytest.raises(Conflict):
        store.keep("sync", 9, "base", b"from nowhere", 2)
    assert store.kept("sync", "base") == Kept(2, b"two")


def test_a_content_whose_version_is_not_the_one_that_is_kept_is_refused_and_the_same_once_more_is_not(store):
    take(store, "a")
    for _ in range(2):
        assert store.keep("sync", 1, "base", b"one", 0) == 1
    for version in (0, 2):
        with pytest.raises(Conflict, match="read it again"):
            store.keep("sync", 1, "base", b"other", version)
    assert store.kept("sync", "base") == Kept(1, b"one")


def test_of_contents_that_race_for_a_version_one_is_kept(store):
    take(store, "a")

    def keep(number):
        try:
            return number, store.keep("sync", 1, "base", b"%d" % number, 0)
        except Conflict:
            return None

    with ThreadPoolExecutor(8) as pool:
        ((number, version),) = [each for each in pool.map(keep, range(8)) if each]
    assert store.kept("sync", "base") == Kept(version, b"%d" % number)


def test_alarms_and_notices_are_written_under_a_fence_that_is_current_only(store):
    fresh, stale = role_lease.Under("watch", 2), role_lease.Under("watch", 1)
    store.change_role("watch", role_lease.take("watch", "a", 20, 0))
    store.change_role("watch", role_lease.take("watch", "b", 20, 0, past=(1, 0)))
    moves = watch.unreadable(["something"], "0" * 26, NOW)
    post = [
        outgoing.Notice(
            id="n",
            target="mail",
            task="0" * 26,
            kind="failed",
            title="t",
            text="x",
            at="2026-05-13T12:00:00Z",
            due_at=1.0,
        )
    ]
    with pytest.raises(Conflict, match="b has it now"):
        store.alarm(moves, under=stale)
    with pytest.raises(Conflict, match="b has it now"):
        store.change_notices(NoticeFilter(due=2.0), lambda _: post, stale)
    assert (store.tasks(), store.notices(NoticeFilter(due=2.0))) == ([], [])
    store.alarm(moves, under=fresh)
    store.change_notices(NoticeFilter(due=2.0), lambda _: post, fresh)
    assert [record.task.dedupe_key for record in store.tasks()] == ["alarm:damaged"]
    assert store.notices(NoticeFilter(due=2.0)) == post


def test_retention_keeps_what_is_kept(store):
    take(store, "a")
    for version in range(3):
        store.keep("sync", 1, "base", b"%d" % version, version)
    store.prune(Before(tasks=9e9, journals=9e9, sync_runs=9e9))
    assert store.kept("sync", "base") == Kept(3, b"2")
    assert store.roles()["sync"].holder == "a"


def test_a_holder_is_past_after_its_time_and_its_longest_request_without_a_beat_seen(store):
    clock = Boottime()
    here, there = Roles(store, clock), Roles(store, clock)
    fence = here.take("sync", "a", 60, 30).fence
    there.look()
    clock.now += 50
    here.renew("sync", fence)
    there.look()
    clock.now += 90
    assert there.take("sync", "b", 60, 30).holder == "a"
    clock.now += 0.1
    taken = there.take("sync", "b", 60, 30)
    assert (taken.holder, taken.fence) == ("b", fence + 1)
    with pytest.raises(Conflict, match="b has it now"):
        here.renew("sync", fence)
    here.release("sync", fence)
    assert there.renew("sync", taken.fence).beat == 1


def test_a_server_that_begins_waits_the_whole_time_anew(store):
    clock = Boottime()
    Roles(store, clock).take("sync", "a", 60, 30)
    clock.now += 1e6
    begun = Roles(store, clock)
    assert begun.take("sync", "b", 60, 30).holder == "a"
    clock.now += 91
    assert begun.take("sync", "b", 60, 30).holder == "b"


def test_a_holder_whose_lease_is_past_goes_on_where_no_one_took_it(store):
    clock = Boottime()
    roles = Roles(store, clock)
    fence = roles.take("sync", "a", 60, 30).fence
    clock.now += 1000
    assert roles.renew("sync", fence).beat == 1
    assert Roles(store, clock).take("sync", "b", 60, 30).holder == "a"


@pytest.fixture
def table():
    """A store over a table, and what stands between it and the table."""
    wire = dynamo.Wire()
    with closing(dynamo.store(wire)) as store:
        yield store, wire


@pytest.mark.parametrize("fault", ["throttled", "500", "500 after", "lost after"])
def test_what_goes_wrong_on_the_way_takes_keeps_and_releases_once(table, fault):
    store, wire = table
    wire.faults.append(fault)
    assert take(store, "a").fence == 1
    for number in range(5):
        wire.faults.extend([None] * number + [fault])
        assert store.keep("sync", 1, "base", b"%d" % number, number) == number + 1
        assert store.kept("sync", "base").content == b"%d" % number
    wire.faults.clear()
    wire.faults.append(fault)
    assert store.change_role("sync", role_lease.release("sync", 1)).holder is None
    assert _stored(store) == 1


def _stored(store, name="sync#base"):
    return len([*store._table.query(f"KEPT#{name}", fields=("sk",))])


def _notes(store):
    return [item["sk"] for item in store._table.query("SWEEP")]


class _Killed(BaseException):
    pass


def _die(_):
    raise _Killed


@pytest.mark.parametrize("done", range(8))
def test_a_writer_that_is_killed_leaves_a_whole_content_and_nothing_for_ever(table, done):
    store, wire = table
    take(store, "a")
    store.keep("sync", 1, "base", b"one", 0)
    wire.faults.extend([None] * done + [_die])
    with suppress(_Killed):
        store.keep("sync", 1, "base", b"two", 1)
    wire.faults.clear()
    store.prune(Before())
    kept = store.kept("sync", "base")
    assert kept in {Kept(1, b"one"), Kept(2, b"two")}
    take(store, "a")
    store.prune(Before())
    assert store.kept("sync", "base") == kept
    assert (_stored(store), _notes(store)) == (1, [])


def test_parts_that_are_on_their_way_are_not_taken_for_left_ones(table):
    store, wire = table
    take(store, "a")
    store.keep("sync", 1, "base", b"one", 0)

    def prune_first(go_on):
        store.prune(Before())
        return go_on()

    # After the note and the parts, before the record.
    wire.faults.extend([None, None, prune_first])
    assert store.keep("sync", 1, "base", b"two", 1) == 2
    assert store.kept("sync", "base") == Kept(2, b"two")


def test_a_take_over_between_parts_and_record_fences_the_record_off(table):
    store, wire = table
    take(store, "a")

    def take_over(go_on):
        take(store, "b", past=(1, 0))
        return go_on()

    wire.faults.extend([None, None, take_over])
    with pytest.raises(Conflict):
        store.keep("sync", 1, "base", b"late", 0)
    assert store.kept("sync", "base") is None
    store.prune(Before())
    assert (_stored(store), _notes(store)) == (0, [])
