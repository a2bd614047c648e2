"""Recurring tasks: which runs are due, and that each is added once, whatever happens in between."""

from datetime import UTC, datetime, timedelta

import pytest

from dashboard import cron
from dashboard.queue import Queue
from dashboard.record import Busy
from dashboard.recurring import Dealt, Recurrences, due
from dashboard.settings import Recurring, Settings, Template, read, zone
from dashboard.stores.memory import MemoryStore
from dashboard.stores.sqlite import SqliteStore
from wire.settings_file import load
from wire.times import stamp
from wire.types import ClaimRequest, Exit, NewTask, SessionEnd
from wire.values import Invalid

MAY = datetime(2026, 5, 13, 6, 29, tzinfo=UTC)
HALF_PAST_SIX = MAY + timedelta(minutes=1)


def settings(cron="30 6 * * *", **more):
    return Settings(
        templates={"report": Template(title="Season report", labels=("report",), priority=7, dollars=2.5)},
        recurring={"nightly": Recurring(template="report", cron=cron, **more)},
    )


class Site:
    """A queue whose time is set; `restart` begins the looks anew over what is kept."""

    def __init__(self, store, settings, now=MAY):
        self.now, self.settings = now, settings
        self.queue = Queue(store, settings, lambda: self.now)
        self.recurrences = Recurrences(self.queue, settings)

    def look(self, at=None):
        self.now = at or self.now
        self.recurrences.look()
        return len(self.queue.tasks(limit=1000))

    def finish(self):
        held = self.queue.claim(ClaimRequest(host="h"))
        self.queue.end(held.session.id, SessionEnd(fence=held.lease.fence, exit=Exit.FINISHED))


@pytest.fixture(params=["memory", "sqlite"])
def store(request, tmp_path):
    made = SqliteStore(tmp_path / "queue.db") if request.param == "sqlite" else MemoryStore()
    yield made
    made.close()


def test_a_run_that_is_due_is_added_once_from_its_template(store):
    site = Site(store, settings())
    assert site.look() == 0
    assert site.look(HALF_PAST_SIX - timedelta(seconds=1)) == 0
    assert [site.look(HALF_PAST_SIX + timedelta(seconds=n)) for n in (0, 15, 3600)] == [1, 1, 1]
    (task,) = site.queue.tasks()
    assert (task.title, task.labels, task.priority, task.budget.usd_micros) == (
        "Season report",
        ("report",),
        7,
        2_500_000,
    )
    site.finish()
    assert site.look(HALF_PAST_SIX + timedelta(days=1)) == 2


def test_a_restart_after_a_run_adds_it_no_second_time(store):
    site = Site(store, settings())
    site.look()
    site.look(HALF_PAST_SIX)
    site.finish()
    assert Site(store, settings(), HALF_PAST_SIX + timedelta(minutes=1)).look() == 1


class Cut:
    """A store that fails where the run is noted: as if the process was killed between the two writes."""

    def __init__(self, store):
        self._store = store

    def __getattr__(self, name):
        return getattr(self._store, name)

    def mark(self, name, text):
        raise Busy


def test_a_kill_between_the_task_and_its_note_adds_no_second_one(store):
    Site(store, settings()).look()
    killed = Site(Cut(store), settings(), HALF_PAST_SIX)
    with pytest.raises(Busy):
        killed.look()
    killed.finish()
    again = Site(store, settings(), HALF_PAST_SIX + timedelta(seconds=15))
    assert again.look() == 1
    assert again.recurrences.listed()[0].last_at == stamp(HALF_PAST_SIX)


def test_a_run_that_finds_its_task_unfinished_is_passed_over_and_shown_to_be(store):
    site = Site(store, settings())
    site.look()
    site.look(HALF_PAST_SIX)
    assert site.look(HALF_PAST_SIX + timedelta(days=1)) == 1
    (shown,) = site.recurrences.listed()
    assert (shown.last_added, shown.last_task) == (False, site.queue.tasks()[0].id)
    site.finish()
    assert site.look(HALF_PAST_SIX + timedelta(days=1, minutes=1)) == 1
    assert site.look(HALF_PAST_SIX + timedelta(days=2)) == 2
    assert site.recurrences.listed()[0].last_added


@pytest.mark.parametrize(("catch_up", "added"), [(False, 0), (True, 1)])
def test_runs_that_were_missed_are_made_up_once_or_not_at_all(store, catch_up, added):
    Site(store, settings(catch_up=catch_up)).look()
    later = Site(store, settings(catch_up=catch_up), MAY + timedelta(days=9, hours=3))
    assert later.look() == added
    assert later.look() == added
    assert later.look(HALF_PAST_SIX + timedelta(days=10)) == 1


def test_one_that_is_new_has_missed_nothing_and_one_that_was_left_out_for_a_while_neither(store):
    assert Site(store, settings(catch_up=True), MAY + timedelta(days=1)).look() == 0
    Site(store, Settings(), MAY + timedelta(days=2)).look()
    assert Site(store, settings(catch_up=True), MAY + timedelta(days=9)).look() == 0


def test_a_clock_that_is_set_back_adds_nothing_twice(store):
    site = Site(store, settings())
    site.look()
    site.look(HALF_PAST_SIX)
    site.finish()
    assert [site.look(HALF_PAST_SIX + timedelta(hours=n)) for n in (-24, -1, 0)] == [1, 1, 1]


def test_the_dashboards_own_dedupe_keys_are_no_one_elses(store):
    with pytest.raises(Invalid, match="recurring:"):
        Site(store, settings()).queue.add(NewTask(title="t", dedupe_key="recurring:nightly"))


def test_what_cannot_be_read_of_a_run_begins_anew(store):
    store.mark("recurring:nightly", "{")
    site = Site(store, settings(), HALF_PAST_SIX)
    assert site.look() == 0
    assert site.look(HALF_PAST_SIX + timedelta(days=1)) == 1


def test_templates_and_recurring_tasks_are_listed_with_what_comes_next(store):
    site = Site(store, settings(time_zone="Europe/Lisbon"))
    (shown,) = site.recurrences.listed()
    # Half past six in Lisbon's summer, which was an hour ago.
    assert (shown.next_at, shown.last_at) == ("2026-05-14T05:30:00Z", None)
    assert site.recurrences.templates()[0].usd_micros == 2_500_000


LISBON = "Europe/Lisbon"
AUTUMN = datetime(2026, 10, 25, 0, 0, tzinfo=UTC)
"""In Lisbon one o'clock comes twice: at 00:00 UTC, and at 01:00 UTC."""


def runs(expression, first, hours, step=timedelta(minutes=5)):
    """The hours at which a look, each five minutes, finds a run to add."""
    each = Recurring(template="report", cron=expression, time_zone=LISBON)
    last, found, now = Dealt(at=stamp(first - timedelta(seconds=1))), [], first
    while now < first + timedelta(hours=hours):
        decided = due(each, last, now)
        found += [f"{decided.run:%H:%M}"] if decided.run else []
        last, now = decided.dealt, now + step
    return found


def test_in_autumns_double_hour_a_run_comes_once():
    assert runs("30 1 * * *", AUTUMN - timedelta(hours=2), 8) == ["00:30"]
    assert runs("0 1,2 * * *", AUTUMN - timedelta(hours=2), 8) == ["00:00", "02:00"]
    assert len(runs("0 * * * *", AUTUMN - timedelta(hours=2), 8)) == 8


def test_in_springs_missing_hour_a_run_comes_all_the_same_and_once():
    spring = datetime(2026, 3, 29, 0, 0, tzinfo=UTC)
    assert runs("30 1 * * *", spring - timedelta(hours=2), 8) == ["01:00"]


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "30 6 * *",
        "30 6 * * * *",
        "61 * * * *",
        "x * * * *",
        "* * 30 2 *",
        "5-1 * * * *",
        "0 0 * * MON#6",
        "* * * * 2L,X",
    ],
)
def test_what_is_no_cron_expression_or_never_due_is_refused(expression):
    with pytest.raises(Invalid):
        Recurring(template="report", cron=expression)


def test_a_wrong_expression_is_refused_by_the_names_of_its_keys_and_its_text(tmp_path):
    file = tmp_path / "jada.toml"
    for text, said in (
        ('[dashboard.recurring.x]\ntemplate = "t"\ncron = "61 * * * *"', r"recurring.cron: .*'61 \* \* \* \*'.*minute"),
        ('[dashboard.recurring.x]\ntemplate = "t"\ncron = "1 * * * *"', "recurring.x.template: .*'t'"),
        ('[dashboard.recurring.x]\ntemplate = "t"\ncorn = "1 * * * *"', "recurring.corn: unknown"),
        ('[dashboard.recurring.x]\ntemplate = "t"\ncron = "1 * * * *"\ntime_zone = "Mars"', "time_zone: .*Mars"),
        ('[dashboard.templates.x]\ntitle = ""', "templates.title"),
        ('[dashboard.templates.x]\ntitle = "t"\npriority = 10', "templates.priority: .*9"),
    ):
        file.write_text(text)
        with pytest.raises(Invalid, match=said):
            load(file, "dashboard", read)


def test_the_latest_and_the_next_run_lie_on_either_side_of_now():
    for at in (HALF_PAST_SIX, HALF_PAST_SIX + timedelta(seconds=59, microseconds=5)):
        assert cron.latest("30 6 * * *", zone("UTC"), at) == HALF_PAST_SIX
        assert cron.following("30 6 * * *", zone("UTC"), at) == HALF_PAST_SIX + timedelta(days=1)
    assert cron.latest("30 6 * * *", zone("UTC"), MAY) == HALF_PAST_SIX - timedelta(days=1)
