"""The list of tasks, and what is done to many of them, as a browser without JavaScript gets it."""

from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import pytest
from bs4 import BeautifulSoup

from dashboard import bulk, list_page
from dashboard.application import create
from dashboard.settings import Recurring, Settings, Template
from dashboard.stores.listing import Bounds
from dashboard.stores.memory import MemoryStore
from dashboard.stores.sqlite import SqliteStore
from local.serve import running
from tests.browser import Browser
from tests.tokens import accepting
from wire.client import Client
from wire.types import ClaimRequest, Exit, NewTask, SessionEnd, State

NOW = datetime(2026, 5, 13, 12, tzinfo=UTC)
RECURRING = Settings(
    templates={"report": Template(title="Season <report>", description="by hotel", labels=("a", "b"), dollars=2.5)},
    recurring={"weekly": Recurring(template="report", cron="30 6 * * 1", time_zone="Europe/Lisbon")},
)


@pytest.fixture
def site(tmp_path, token):
    """A dashboard over SQLite that looks through two tasks at a time."""
    store = SqliteStore(tmp_path / "queue.db", bounds=Bounds(looked=2, checked=2))
    with running(create(store, accepting(token), RECURRING, clock=lambda: NOW)) as url:
        yield Browser(url, token), Client(url, token)
    store.close()


class Unsearched(MemoryStore):
    """A store without an index of words or costs."""

    searches = False


@pytest.mark.parametrize(("kind", "offers"), [(MemoryStore, True), (Unsearched, False)])
def test_the_page_offers_what_its_store_can_list(token, kind, offers):
    with running(create(kind(), accepting(token), clock=lambda: NOW)) as url:
        page = BeautifulSoup(Browser(url, token)("GET", "/tasks").data, "html.parser")
    assert bool(page.find("input", {"name": "words"})) is offers
    assert bool(page.find("option", {"value": "cost"})) is offers
    assert page.find("option", {"value": "oldest"})


@pytest.fixture
def client(site):
    return site[1]


@pytest.fixture
def shown(site):
    """Load a page, which may be a refused one, as text and as a tree."""

    def load(path="/tasks", status=200, **asked):
        response = site[0]("GET", path + (f"?{urlencode(asked, doseq=True)}" if asked else ""))
        assert response.status == status
        return BeautifulSoup(response.data, "html.parser")

    return load


@pytest.fixture
def send(site):
    def post(page, **instead):
        form = page.find("form", method="post", action="/tasks/bulk")
        fields = {field["name"]: field["value"] for field in form.find_all("input") if field["name"] != "csrf"}
        response = site[0]("POST", form["action"], fields={**fields, **instead}, encode_multipart=False)
        return response.status, BeautifulSoup(response.data, "html.parser")

    return post


def titles(page, within="ul.tasks"):
    return [link.get_text() for link in page.select(f"{within} .name a")]


def failed(client, title, **fields):
    client.add_task(NewTask(title=title, priority=9, **fields))
    held = client.claim(ClaimRequest(host="h"))
    client.end(held.session.id, SessionEnd(fence=held.lease.fence, exit=Exit.FAULT, usd_micros=1_500_000))
    return held.task.id


def test_tasks_are_searched_and_the_address_keeps_what_was_asked_for(client, shown):
    failed(client, "harbour post", labels=("night",))
    client.add_task(NewTask(title="harbour mail"))
    page = shown(words="HARBOUR", state="failed", label="night", least="1.50", since="2020-01-01", sort="oldest")
    assert titles(page) == ["harbour post"]
    form = page.find("form", role="search")
    assert (form["method"], form["action"]) == ("get", "/tasks")
    assert form.find("input", id="words")["value"] == "HARBOUR"
    assert form.find("option", selected=True, value="failed")
    assert form.find("option", selected=True, value="oldest")
    assert titles(shown(words="mail")) == ["harbour mail"]
    assert titles(shown(sort="cost")) == ["harbour post"]


def test_a_day_is_whole_and_of_utc(client, shown):
    today = datetime.fromisoformat(client.add_task(NewTask(title="t")).created_at).date()
    assert titles(shown(since=str(today), until=str(today))) == ["t"]
    assert (
        titles(shown(until=str(today - timedelta(days=1)))) == titles(shown(since=str(today + timedelta(days=1)))) == []
    )


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"least": "much"}, "Cost, from must be an amount like 2.50, not 'much'."),
        ({"since": "May"}, "Added, from must be a day like 2026-05-13, not 'May'."),
        ({"label": "two words"}, "Label must be a label"),
        ({"state": "lost"}, "State must be one of queued"),
        ({"words": "…"}, "Words has no word"),
        ({"words": "a", "sort": "cost"}, "Order must not be cost"),
    ],
)
def test_a_search_that_is_refused_complains_at_its_field_and_keeps_what_was_typed(shown, asked, said):
    page = shown(status=422, **{"most": "7.50", **asked})
    (wrong,) = page.select("[aria-invalid]")
    assert wrong["name"] == [*asked][-1]
    assert page.find(id=wrong["aria-describedby"]).get_text().startswith(said)
    assert page.find("input", id="most")["value"] == "7.50"
    if wrong.name == "input":
        assert wrong["value"] == asked[wrong["name"]]


def test_what_was_not_looked_through_is_said_and_found_by_looking_on(client, shown):
    for number in range(60):
        client.add_task(NewTask(title=f"harbour {number}", labels=("first",) if number < 2 else ()))
    page, seen, looks = shown(words="harbour", label="first"), [], 1
    assert "No task fits that so far" in page.get_text()
    while further := page.find("a", rel="next"):
        assert "look on" in further.get_text()
        page, looks = shown(further["href"]), looks + 1
        seen += titles(page)
    assert (sorted(seen), looks) == (["harbour 0", "harbour 1"], 3)


def test_times_children_labels_and_makers_are_shown(client, shown):
    parent = client.add_task(NewTask(title="parent", not_before="2098-05-13T00:00:00Z", labels=("a&b",)))
    child = client.add_task(NewTask(title="child", parent=parent.id))
    rows = {row.find("a").get_text(): row for row in shown().select("ul.marked li")}
    assert rows["parent"].find("time", datetime=parent.not_before)
    assert "1 subtask" in rows["parent"].get_text()
    assert rows["child"].find("a", href=f"/tasks/{parent.id}").get_text() == "made by another task"
    assert rows["parent"].find("a", class_="badge")["href"] == "/tasks?label=a%26b"
    assert client.task(child.id).parent == parent.id


def test_many_are_cancelled_after_a_look_at_what_would_happen(client, shown, send):
    first, second = (client.add_task(NewTask(title=f"t{n}")) for n in (1, 2))
    child = client.add_task(NewTask(title="its child", parent=first.id))
    over = failed(client, "over")
    page = shown("/tasks/bulk", task=[first.id, over], do="retry", words="t1")
    assert titles(page, "#changing") == ["over"]
    assert titles(page, "#staying") == ["t1"]
    assert "queued: only a failed one can be tried again" in page.find(id="staying").get_text()
    page = shown("/tasks/bulk", task=first.id, do="cancel", words="t1")
    assert [client.task(task.id).state for task in (first, child)] == [State.QUEUED] * 2
    assert "Cancel this task?" in page.h1.get_text()
    assert titles(page, "#changing") == ["t1"]
    assert "its child" in page.find(id="changing").get_text()
    status, answer = send(page)
    assert (status, titles(answer, "#done")) == (200, ["t1"])
    assert answer.find("a", href="/tasks?words=t1")
    states = [client.task(task.id).state for task in (first, child, second)]
    assert states == [State.CANCELLED, State.CANCELLED, State.QUEUED]


def test_only_what_was_shown_is_done_and_what_changed_meanwhile_is_answered(client, shown, send):
    for number in (1, 2):
        client.add_task(NewTask(title=f"t{number}"))
    page = shown("/tasks/bulk", all="yes", do="cancel")
    client.add_task(NewTask(title="late"))
    held = client.claim(ClaimRequest(host="h"))
    _, answer = send(page)
    assert len(titles(answer, "#done")) == 1
    assert titles(answer, "#left") == [held.task.title]
    assert "changed since you looked, and is running now" in answer.find(id="left").get_text()
    assert {task.title: task.state for task in client.tasks()}["late"] is State.QUEUED
    assert client.task(held.task.id).state is State.RUNNING


def test_a_second_click_does_nothing_more(client, shown, send):
    task = client.add_task(NewTask(title="t"))
    page = shown("/tasks/bulk", task=task.id, do="priority", priority="8")
    for _ in range(2):
        assert titles(send(page)[1], "#done") == ["t"]
    assert client.task(task.id).version == task.version + 1


def test_all_that_fits_a_search_is_meant_and_no_more_than_is_taken_at_once(client, shown, send):
    failures = [failed(client, f"harbour {n}") for n in range(3)]
    other = failed(client, "mail")
    page = shown("/tasks/bulk", all="yes", do="retry", words="harbour", state="failed")
    assert sorted(titles(page, "#changing")) == [f"harbour {n}" for n in range(3)]
    assert "More tasks fit" not in page.get_text()
    send(page)
    assert [client.task(task).state for task in (*failures, other)] == [State.QUEUED] * 3 + [State.FAILED]


def test_more_than_is_taken_at_once_is_said(client, shown):
    ids = [f"{n:026}" for n in range(bulk.MOST)]
    task = client.add_task(NewTask(title="t"))
    page = shown("/tasks/bulk", task=[task.id, *ids], do="cancel")
    assert "More tasks fit than are taken at once" in page.get_text()


@pytest.mark.parametrize(
    ("asked", "field", "said"),
    [
        ({"do": "cancel"}, None, "mark the tasks"),
        ({"task": "X"}, "do", "What to do is to be chosen."),
        ({"task": "X", "do": "priority", "priority": "12"}, "priority", "Priority must be at most 9."),
        ({"task": "X", "do": "priority", "priority": "high"}, "priority", "Priority must be a whole number"),
    ],
)
def test_what_is_meant_unclearly_is_refused_and_kept(client, shown, asked, field, said):
    task = client.add_task(NewTask(title="t"))
    given = {**asked, "task": task.id} if "task" in asked else asked
    page = shown("/tasks/bulk", status=422, words="t", **given)
    assert said in page.find(id="complaint").get_text()
    assert [each["name"] for each in page.select("[aria-invalid]")] == ([field] if field else [])
    assert page.find("input", id="words")["value"] == "t"
    assert bool(page.find("input", checked=True, value=task.id)) == ("task" in asked)
    if "priority" in asked:
        assert page.find("input", id="priority")["value"] == asked["priority"]


def test_a_form_that_was_made_up_does_nothing(client, shown, send):
    task = client.add_task(NewTask(title="t"))
    page = shown("/tasks/bulk", task=task.id, do="cancel")
    for what in ("", "x", f"{task.id}:x", f"{task.id}:1 {'0' * 26}"):
        assert send(page, what=what)[0] == 422
    assert send(page, do="delete")[0] == 422
    assert titles(send(page, what=f"{'0' * 26}:1")[1], "#left") == ["0" * 26]
    assert client.task(task.id).state is State.QUEUED


def test_recurring_tasks_are_shown_and_a_template_fills_the_form(shown):
    row = shown().find("section", attrs={"aria-labelledby": "recurring-h"}).get_text(" ", strip=True)
    assert all(part in row for part in ("weekly", "30 6 * * 1", "Europe/Lisbon", "no run yet"))
    form = shown("/add?template=report").find("form", id="add")
    assert form.find("input", id="title")["value"] == "Season <report>"
    assert form.find("textarea").get_text() == "by hotel"
    assert (form.find("input", id="labels")["value"], form.find("input", id="dollars")["value"]) == ("a b", "2.50")
    assert shown("/add?template=none").find("input", id="title")["value"] == ""


def test_the_pages_are_whole_for_a_screen_reader(client, shown):
    task = client.add_task(NewTask(title="<b>t</b>", labels=("<i>",)))
    pages = [shown(), shown("/tasks/bulk", task=task.id, do="cancel"), shown("/tasks/bulk", status=422)]
    for page in pages:
        labels = {label["for"] for label in page.find_all("label")}
        for field in page.main.find_all(["input", "textarea", "select"]):
            assert field.get("type") == "hidden" or field["id"] in labels
        ids = [tag["id"] for tag in page.find_all(id=True)]
        assert len(ids) == len(set(ids))
        assert len(page.find_all("h1")) == 1
        assert not page.find_all(["b", "i"])


def test_a_bulk_is_said_in_words():
    said = [list_page.sentence(bulk.Bulk(action=action, priority=3), 2) for action in bulk.Action]
    assert said == [
        "Cancel these 2 tasks",
        "Try these 2 tasks again as they stood",
        "Try these 2 tasks again afresh",
        "Give these 2 tasks priority 3",
    ]
