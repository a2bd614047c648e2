"""Several hosts, one sync: a lease, and a memory that goes with it."""

import pytest

from sync import carried
from sync.failure import SyncFailed
from sync.held import Elsewhere
from sync.history import opened
from tests.people.desk import OURS, Desk, Killed

SOURCE = {"B1": ("2026-05-13", "Ada", 80), "B2": ("2026-05-14", "Bob", 70)}
CHANGED = SOURCE | {"B1": ("2026-05-13", "Ada", 90)}
A, B = 0, 1


@pytest.fixture
def desk(tmp_path):
    made = Desk(tmp_path, hosts=2)
    made.sync(SOURCE, A)
    made.requests.clear()
    return made


def killed(desk, host, source, *, at, after=False):
    """A run of a host that is killed before its request of this number, or after it."""

    def kill():
        if len(desk.requests) == at:
            raise Killed

    setattr(desk, "after" if after else "before", kill)
    with pytest.raises(Killed):
        desk.sync(source, host)
    desk.before = desk.after = lambda: None


def base(desk, host):
    with opened(desk.folders[host], OURS) as history:
        return dict(history.base())


def rates(desk):
    return [row["rate"] for row in desk.rows()]


def test_another_host_goes_on_from_what_was_settled(desk):
    """A user's edit is one, and no conflict, only for who knows what was settled."""
    desk.type(1, 2, "Countess Ada")
    desk.sync(CHANGED, B)
    assert (desk.rows()[0]["guest"], desk.rows()[0]["rate"]) == ("Countess Ada", 90)
    assert base(desk, B).keys() == {"B1", "B2"}


def test_a_host_whose_memory_is_older_has_the_newer_one(desk):
    desk.sync(CHANGED, B)
    desk.sync(CHANGED, A)
    assert base(desk, A) == base(desk, B)


def test_while_one_host_has_it_no_other_reads_or_writes(desk):
    killed(desk, A, CHANGED, at=1)
    desk.requests.clear()
    with pytest.raises(Elsewhere):
        desk.sync(CHANGED, B)
    assert desk.requests == []


def test_what_is_sent_is_in_the_store_before(desk):
    """The batch before the write, the judgement before the copy goes."""
    held = []
    desk.before = lambda: held.append(_kept(desk))
    desk.sync(CHANGED, A)
    writes = [number for number, each in enumerate(desk.requests) if each.endswith(":batchUpdate")]
    (sent, deleted) = (held[number].tables["batch"] for number in writes)
    judged = sent.columns.index("judged")
    assert ([row[judged] for row in sent.rows], [row[judged] for row in deleted.rows]) == ([0], [1])


def _kept(desk):
    return carried.decode(desk.shared.values["memory"][1])


def test_an_unchanged_run_sends_the_little_that_it_settled_anew(desk):
    desk.shared.kept.clear()
    desk.sync(SOURCE, A)
    ((name, size),) = desk.shared.kept
    assert name == "memory"
    assert size < 1000


def test_a_holder_that_stood_still_sends_nothing_more(desk):
    """It wakes after its lease was over, and another host was at work."""

    def freeze():
        if len(desk.requests) == 2:
            desk.first = lambda: None
            desk.later(minutes=30)
            desk.sync(CHANGED, B)
            desk.requests.clear()

    desk.first = freeze
    with pytest.raises(Elsewhere):
        desk.sync(SOURCE | {"B2": ("2026-05-14", "Bob", 1)}, A)
    assert (desk.requests, rates(desk)) == ([], [90, 70])


def test_a_holder_that_stood_still_goes_on_where_nobody_took_over(desk):
    def freeze():
        desk.first = lambda: None
        desk.later(minutes=30)

    desk.first = freeze
    desk.sync(CHANGED, A)
    assert rates(desk) == [90, 70]


@pytest.mark.parametrize("fault", ["before", "after"])
@pytest.mark.parametrize("call", range(3))
def test_without_the_store_nothing_is_written_and_the_next_run_makes_up_for_it(desk, fault, call):
    desk.before = lambda: desk.shared.faults.extend([None] * call + [fault]) if len(desk.requests) == 2 else None
    with pytest.raises(SyncFailed, match="lease_unreachable"):
        desk.sync(CHANGED, A)
    desk.before = lambda: None
    desk.shared.faults.clear()
    desk.later(minutes=30)
    desk.sync(CHANGED, B)
    assert rates(desk) == [90, 70]
    assert sum(title.startswith(".jada") for title in desk.titles) == 0


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", range(1, 6))
def test_a_host_that_is_killed_at_any_step_is_followed_by_another(desk, at, after):
    """It read, looked, wrote, deleted the copy, read again; what a user typed under the write is told."""
    typed = []

    def beside():
        if len(desk.requests) == 3 and not typed:
            typed.append(desk.type(1, 4, "typed"))

    desk.watch = beside
    killed(desk, A, CHANGED, at=at, after=after)
    desk.watch = lambda: None
    desk.later(minutes=30)
    desk.sync(CHANGED, B)
    assert rates(desk) == [90, 70]
    assert "typed" in {each.was for each in desk.told()} or not typed or "typed" in desk.cells().values()
    assert [title for title in desk.titles if title.startswith(".jada")] == []


def test_an_image_that_does_not_fit_is_told_and_nothing_is_written(desk):
    version, data = desk.shared.values["memory-a"]
    desk.shared.values["memory-a"] = version, data[:-1]
    with pytest.raises(SyncFailed, match="memory_damaged") as failed:
        desk.sync(CHANGED, B)
    assert "memory-a" in failed.value.cause
    assert rates(desk) == [80, 70]


def stands_still_sending(desk, source, **span):
    """The first host made sure that it may write, and then stood still while the other had a run; then it wrote."""

    def freeze():
        if desk.requests[-1].endswith(":batchUpdate"):
            desk.before = lambda: None
            desk.later(**span)
            desk.sync(CHANGED, B)

    desk.before = freeze
    with pytest.raises(Elsewhere):
        desk.sync(source, A)


@pytest.mark.parametrize("span", [{"minutes": 10}, {"hours": 5}])
def test_the_one_write_that_a_frozen_host_still_sends_is_found_by_its_copy_and_put_right(desk, span):
    stands_still_sending(desk, SOURCE | {"B1": ("2026-05-13", "Ada", 1)}, **span)
    assert rates(desk) == [1, 70]
    desk.later(minutes=30)
    desk.sync(CHANGED, B)
    assert rates(desk) == [90, 70]
    assert [title for title in desk.titles if title.startswith(".jada")] == []


def test_what_such_a_write_took_from_a_user_is_told(desk):
    desk.after = lambda: desk.requests[-1].startswith("POST /values") and desk.type(1, 3, 4711)
    stands_still_sending(desk, SOURCE | {"B1": ("2026-05-13", "Ada", 1)}, hours=5)
    desk.after = lambda: None
    desk.later(minutes=30)
    desk.sync(CHANGED, B)
    assert 4711 in {each.was for each in desk.told()} or 4711 in rates(desk)


def test_a_batch_that_never_came_is_looked_for_a_day_and_no_longer(desk):
    killed(desk, A, CHANGED, at=3)
    desk.later(minutes=30)
    desk.sync(CHANGED, B)
    desk.requests.clear()
    desk.sync(CHANGED, B)
    assert desk.requests == ["GET", "POST /values:batchGetByDataFilter"]
    desk.later(hours=24)
    desk.sync(CHANGED, B)
    desk.requests.clear()
    desk.sync(CHANGED, B)
    assert desk.requests == ["POST /values:batchGetByDataFilter"]


def test_a_lease_that_took_long_to_renew_has_no_time_left_for_a_write(desk):
    """Its time counts from before the renewal was asked for."""
    renew = desk.shared.renew
    desk.shared.renew = lambda fence: renew(fence) and (desk.later(seconds=60) or True)
    with pytest.raises(SyncFailed, match="lease_short"):
        desk.sync(CHANGED, A)
    assert [each for each in desk.requests if each.endswith(":batchUpdate")] == []


def test_while_a_write_may_still_come_the_lease_is_not_let_go(desk):
    """Four tries that got no answer, and a run that ended by its failure."""

    def lose():
        if desk.requests[-1].endswith(":batchUpdate"):
            raise SyncFailed("sheets_unreachable", "x", "y", wait_s=1)

    desk.before = lose
    with pytest.raises(SyncFailed, match="sheets_unreachable"):
        desk.sync(CHANGED, A)
    desk.before = lambda: None
    with pytest.raises(Elsewhere):
        desk.sync(CHANGED, B)
    desk.later(minutes=6)
    desk.sync(CHANGED, B)
    assert rates(desk) == [90, 70]
