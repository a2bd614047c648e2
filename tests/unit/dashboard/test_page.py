"""The page, as a browser without JavaScript gets it."""

import itertools
import os
import re

import pytest
from bs4 import BeautifulSoup

from dashboard.application import create
from dashboard.retention import Retention
from dashboard.settings import Notify, Settings
from dashboard.stores.memory import MemoryStore
from dashboard.stores.retention import Before
from dashboard.stores.sqlite import SqliteStore
from local.serve import running
from tests.browser import Browser
from tests.tokens import accepting
from wire.client import Client
from wire.types import (
    Batch,
    Budget,
    ClaimRequest,
    Delivery,
    Event,
    EventKind,
    Exit,
    File,
    NewTask,
    Question,
    SessionEnd,
    State,
    SyncOutcome,
    SyncRun,
)

AT = "2026-05-13T12:00:00Z"
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"


@pytest.fixture
def http(url, token):
    return Browser(url, token)


@pytest.fixture
def shown(http):
    return lambda path="/": BeautifulSoup(http("GET", path).data, "html.parser")


def send(http, path, **fields):
    return http("POST", path, fields=fields, encode_multipart=False)


def claimed(client, **fields):
    client.add_task(NewTask(**{"title": "t", **fields}))
    return client.claim(ClaimRequest(host="jada-orchestrator"))


def ended(client, code, **fields):
    held = claimed(client)
    return client.end(held.session.id, SessionEnd(fence=1, exit=code, **fields))


def asking(client, text="Keep or release?"):
    return ended(client, Exit.ASKED, question=Question(tool_use_id="tu", text=text))


def everything(client):
    """One of each thing a page can show; returns the pages' paths."""
    asking(client, HOSTILE)
    ended(client, Exit.BUDGET, reason=HOSTILE)
    ended(client, Exit.STUCK, reason=HOSTILE)
    ended(client, Exit.FAULT, reason=HOSTILE)
    ended(client, Exit.FINISHED, result=HOSTILE, files=(File(name="a.csv", content=b"1"),))
    held = claimed(client, title=HOSTILE, description=HOSTILE, context=(File(name="b.csv", content=b"2"),))
    client.deliver(held.session.id, Batch(fence=1, events=journal()))
    client.report(SyncRun(started_at=AT, finished_at=AT, outcome=SyncOutcome.FAILED, error=HOSTILE, cause=HOSTILE))
    return [
        *("/", f"/sessions/{held.session.id}", f"/sessions/{held.session.id}?before=3"),
        *(f"/tasks/{task.id}" for task in client.tasks()),
        "/nothing",
    ]


def journal():
    use = {"type": "tool_use", "id": "u", "name": "bash", "input": {"command": HOSTILE}}
    kinds = (
        (EventKind.HEADER, {"model": HOSTILE}),
        (EventKind.MESSAGE, {"content": [{"type": "text", "text": HOSTILE}]}),
        (
            EventKind.SETTLE,
            {"turn": 1, "usd_micros": 1_230_000, "message": {"content": [{"type": "text", "text": "I look."}, use]}},
        ),
        (EventKind.TOOL_RESULT, {"tool_use_id": "u", "content": HOSTILE}),
    )
    return tuple(Event(n=n, at=AT, kind=kind, data=data) for n, (kind, data) in enumerate(kinds, 1))


def test_hostile_text_stays_text_on_every_page(client, shown):
    for path in everything(client):
        page = shown(path)
        assert not page.find_all(["img", "iframe", "object"])
        assert all(script["src"].startswith("/assets/") and not script.string for script in page.find_all("script"))
        assert not [
            tag for tag in page.find_all() if any(name.startswith("on") or name == "style" for name in tag.attrs)
        ]
    assert HOSTILE in shown().get_text()


def test_every_page_is_whole_for_a_screen_reader(client, shown):
    for path in everything(client):
        page = shown(path)
        assert (page.html["lang"], len(page.find_all("h1")), bool(page.title.string)) == ("en", 1, True)
        assert [len(page.find_all(mark)) for mark in ("header", "main", "footer")] == [1, 1, 1]
        ids = [tag["id"] for tag in page.find_all(id=True)]
        assert len(ids) == len(set(ids))
        labels = {label["for"] for label in page.find_all("label")}
        for field in page.find_all(["input", "textarea", "select"]):
            assert field.get("type") == "hidden" or field["id"] in labels
        levels = [int(h.name[1]) for h in page.find_all(["h1", "h2", "h3", "h4"])]
        assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


def test_every_link_and_reference_leads_somewhere(client, shown, http):
    for path in everything(client)[:-1]:
        page = shown(path)
        links = {a["href"] for a in page.find_all("a") if a["href"].startswith("/")}
        assert {http("GET", link.split("#")[0]).status for link in links} <= {200}
        for tag in page.find_all(attrs={"aria-labelledby": True}):
            assert page.find(id=tag["aria-labelledby"])


def test_an_empty_queue_says_so(shown):
    text = shown().get_text()
    assert "Nothing waits for you." in text
    assert "No run was reported yet." in text


def test_what_waits_comes_first(client, shown):
    everything(client)
    sections = [section["id"] for section in shown().main.find_all("section")]
    assert sections == ["waiting", "running", "today", "sync", "tasks"]
    assert "Alarm" in shown().find(id="waiting").get_text()


def test_a_question_is_answered_by_its_form(client, shown, http):
    task = asking(client)
    form = shown().find("form", action=f"/tasks/{task.id}/answer")
    fields = {f["name"]: f.get("value", "Release.") for f in form.find_all(["input", "textarea"])}
    response = send(http, form["action"], **fields)
    assert (response.status, response.headers["Location"]) == (303, f"/tasks/{task.id}")
    assert client.claim(ClaimRequest(host="h")).answers[0].text == "Release."


def test_a_budget_is_granted_by_its_form(client, http):
    task = ended(client, Exit.BUDGET)
    response = send(http, f"/tasks/{task.id}/answer", version=task.version, sessions="2", dollars="2.50", text="")
    assert response.status == 303
    assert client.task(task.id).budget == Budget(sessions=7, usd_micros=7_500_000)


def test_an_answer_to_an_older_version_comes_back_with_what_was_typed(client, http):
    task = asking(client)
    response = send(http, f"/tasks/{task.id}/answer", version=task.version - 1, text="Release <it>.")
    page = BeautifulSoup(response.data, "html.parser")
    assert (response.status, page.textarea.string) == (412, "Release <it>.")
    assert "Changed meanwhile" in page.find(id="complaint").get_text()


def test_an_empty_answer_comes_back_with_its_error(client, http):
    task = asking(client)
    response = send(http, f"/tasks/{task.id}/answer", version=task.version, text=" ")
    page = BeautifulSoup(response.data, "html.parser")
    assert (response.status, page.textarea["aria-invalid"], page.textarea["aria-describedby"]) == (
        422,
        "true",
        f"text-{task.id}-wrong",
    )
    assert page.find(id=f"text-{task.id}-wrong").string.startswith("Your answer is missing")
    assert client.task(task.id).state is State.NEEDS_YOU


def test_a_task_is_added_with_its_files_once_however_often_it_is_sent(client, shown, http):
    key = shown("/add").find("input", attrs={"name": "key"})["value"]
    fields = {
        "key": key,
        "title": "Count",
        "description": "a\r\nb",
        "priority": "7",
        "sessions": "2",
        "dollars": "1.25",
    }
    for _ in range(2):
        sent = [*fields.items(), ("files", ("a.csv", b"x,y\n")), ("files", ("b.bin", b"\x00"))]
        response = http("POST", "/tasks", fields=sent)
    (task,) = client.tasks()
    assert (response.status, response.headers["Location"]) == (303, f"/tasks/{task.id}")
    assert (task.description, task.priority, task.budget) == ("a\nb", 7, Budget(sessions=2, usd_micros=1_250_000))
    assert [f.content for f in client.claim(ClaimRequest(host="h")).context] == [b"x,y\n", b"\x00"]


@pytest.mark.parametrize(
    ("wrong", "field", "label"),
    [
        ({"title": " "}, "title", "The title"),
        ({"description": "x" * 8193}, "description", "What is to be done"),
        ({"priority": "ten"}, "priority", "Priority"),
        ({"sessions": "0"}, "sessions", "Sessions"),
        ({"dollars": "free"}, "dollars", "Dollars"),
        ({"files": ("no good.csv", b"")}, "files", "Files it works with"),
    ],
)
def test_a_wrong_task_comes_back_with_its_input_and_its_error_at_the_field_in_its_labels_words(
    client, http, wrong, field, label
):
    fields = {"title": "Count", "description": "all", "priority": "5", "sessions": "5", "dollars": "5", **wrong}
    response = http("POST", "/tasks", fields=fields)
    page = BeautifulSoup(response.data, "html.parser")
    assert response.status == 422
    assert page.find(id=field)["aria-invalid"] == "true"
    at_the_field = page.find(id=page.find(id=field)["aria-describedby"])
    assert at_the_field.string.startswith(f"{label} ")
    assert at_the_field.string in page.find(id="complaint").get_text()
    typed = page.find(id="title" if field == "description" else "description")
    assert (typed.string or typed.get("value")).strip() in ("all", "Count")
    assert list(client.tasks()) == []


def test_a_task_is_cancelled_and_a_failed_one_tried_again(client, http):
    task = client.add_task(NewTask(title="t"))
    assert send(http, f"/tasks/{task.id}/cancel").status == 303
    assert client.task(task.id).state is State.CANCELLED
    refused = send(http, f"/tasks/{task.id}/retry")
    assert (refused.status, b"only a failed one" in refused.data) == (409, True)
    failed = ended(client, Exit.FAULT)
    assert send(http, f"/tasks/{failed.id}/retry").status == 303
    assert client.task(failed.id).state is State.QUEUED


def test_a_running_sessions_transcript_and_cost_are_readable(client, shown):
    held = claimed(client)
    client.deliver(held.session.id, Batch(fence=1, events=journal()))
    text = shown(f"/tasks/{held.task.id}").get_text()
    for part in ("Session 1: running", "1 turn $1.23", "I look.", "calls bash", HOSTILE):
        assert part in text


def turns(count):
    """A journal of so many turns, each with a call and a long result."""
    events = []
    for turn in range(1, count + 1):
        use = {"type": "tool_use", "id": f"u{turn}", "name": "bash", "input": {"command": "cat"}}
        kinds = (
            (EventKind.RESERVE, {"turn": turn}),
            (EventKind.STREAM, {"events": ["x" * 1000]}),
            (EventKind.SETTLE, {"turn": turn, "usd_micros": 10_000, "message": {"content": [use]}}),
            (EventKind.TOOL_RESULT, {"tool_use_id": f"u{turn}", "content": f"result {turn}." + "x" * 15_000}),
        )
        events += [Event(n=len(events) + n, at=AT, kind=kind, data=data) for n, (kind, data) in enumerate(kinds, 1)]
    return tuple(events)


def test_a_long_transcript_is_read_a_part_at_a_time_and_each_turn_once(client, shown):
    held = claimed(client)
    client.deliver(held.session.id, Batch(fence=1, events=turns(40)))
    page, parts = shown(f"/tasks/{held.task.id}"), []
    assert "40 turns $0.40" in page.get_text()
    while True:
        parts.append([item.h4.get_text().split()[1] for item in page.select(".transcript > li.turn")])
        assert len(str(page)) < 200_000
        assert "no result" not in page.get_text()
        earlier = page.find("a", string="Earlier in this session")
        if not earlier:
            break
        page = shown(earlier["href"])
    assert [int(number) for part in reversed(parts) for number in part] == [*range(1, 41)]
    assert len(parts) > 3
    assert page.find("a", string="The end of this session")["href"] == f"/sessions/{held.session.id}"


def test_only_the_latest_session_is_read_with_its_task(client, shown):
    first = claimed(client)
    client.deliver(first.session.id, Batch(fence=1, events=journal()))
    client.end(first.session.id, SessionEnd(fence=1, exit=Exit.TURN_LIMIT, turns=1, usd_micros=1_230_000))
    client.claim(ClaimRequest(host="h"))
    page = shown(f"/tasks/{first.task.id}")
    assert "I look." not in page.get_text()
    assert "1 turn $1.23" in page.get_text()
    assert "I look." in shown(page.find("a", string="Transcript")["href"]).get_text()


def test_a_transcript_with_odd_times_and_kinds_is_still_a_page(client, shown):
    held = claimed(client)
    odd = [Event(n=n, at="yesterday", kind=kind, data={}) for n, kind in enumerate([*EventKind, EventKind("new")], 1)]
    client.deliver(held.session.id, Batch(fence=1, events=tuple(odd)))
    assert "yesterday" in shown(f"/tasks/{held.task.id}").get_text()


def test_a_session_that_is_not_there_is_not_found(http):
    assert http("GET", "/sessions/none?before=3").status == 404


def test_a_transcript_that_is_kept_no_longer_is_not_said_to_be_still_to_come(client, shown):
    task = ended(client, Exit.FINISHED)
    assert "No transcript is held" in shown(f"/tasks/{task.id}").get_text()


def test_the_queues_size_and_its_disks_room_are_shown(tmp_path, token):
    store = SqliteStore(tmp_path / "queue.db")
    with running(create(store, accepting(token))) as url:
        text = BeautifulSoup(Browser(url, token)("GET").data, "html.parser").find(id="room").get_text()
    store.close()
    # A new file has no page to use again: nothing is said of room, where "0 bytes free" would read like a full disk.
    assert re.search(r"The queue's file has [0-9.]+ KB\. Its disk has [0-9.]+ [MG]B left", text)


def test_room_in_the_queues_file_that_is_used_again_is_shown(tmp_path, token):
    store = SqliteStore(tmp_path / "queue.db")
    with running(create(store, accepting(token))) as url:
        large = NewTask(title="t", context=(File(name="a", content=os.urandom(2**20)),))
        Client(url, token).cancel(Client(url, token).add_task(large).id)
        store.prune(Before(tasks=2.0**40))
        text = BeautifulSoup(Browser(url, token)("GET").data, "html.parser").find(id="room").get_text()
    store.close()
    assert re.search(r"file has [0-9.]+ [KM]B, [0-9.]+ [KM]B of it free for new tasks\.", text)


def test_a_result_file_is_downloaded(client, http):
    task = ended(client, Exit.FINISHED, files=(File(name="a.html", content=b"<b>"),))
    response = http("GET", f"/tasks/{task.id}/files/a.html")
    assert (response.data, response.headers["Content-Disposition"]) == (b"<b>", 'attachment; filename="a.html"')


def test_a_file_that_was_deleted_as_too_old_is_named_without_a_link_and_the_front_page_says_what_was_freed(
    store, client, http, shown, clock
):
    made = (File(name="a.html", content=b"<b>"), File(name="a.diff", content=b"+x"))
    task = ended(client, Exit.FINISHED, files=made)
    clock.go_on(days=2)
    Retention(store, Settings(keep_files_days=1), clock).prune_if_due()
    page, front = shown(f"/tasks/{task.id}"), shown()
    assert "a.html 3 bytes, deleted as too old" in " ".join(page.get_text().split())
    assert page.select(".files a") == []
    answer = http("GET", f"/tasks/{task.id}/files/a.html")
    assert (answer.status, b"keep_files_days" in answer.data) == (404, True)
    room = " ".join(front.find(id="room").get_text().split())
    assert re.search(r"Deleted as too old, the last time .*: 2 files, 5 bytes freed\.", room)


def words(element):
    return " ".join(element.get_text().split())


def test_what_the_sync_did_is_said_in_words_and_of_a_run_that_did_nothing_only_what_it_read(client, shown):
    def shown_after(outcome, **did):
        client.report(SyncRun(started_at=AT, finished_at=AT, outcome=outcome, rows_read=40, **did))
        return words(shown().select_one("#sync .figures.meta"))

    assert shown_after(SyncOutcome.CHANGED, added=3, removed=1) == "40 rows read 3 added 0 changed 1 removed"
    assert shown_after(SyncOutcome.UNCHANGED) == "40 rows read 0 added 0 changed 0 removed"
    # "0 changed" would read as if nothing were to be done.
    assert shown_after(SyncOutcome.FAILED, error="token_dead") == "40 rows read"
    assert shown_after(SyncOutcome.FAILED, error="cut", changed=2) == "40 rows read 0 added 2 changed 0 removed"


def test_an_alarm_that_closed_is_over_and_not_done(client, shown):
    def alarm_said(path):
        return words(shown(path).select_one(".tasks .name .badge"))

    client.report(SyncRun(started_at=AT, finished_at=AT, outcome=SyncOutcome.FAILED, error="token_dead"))
    assert [alarm_said(path) for path in ("/", "/tasks")] == ["needs you", "needs you"]
    client.report(SyncRun(started_at=AT, finished_at=AT, outcome=SyncOutcome.CHANGED))
    assert [alarm_said(path) for path in ("/", "/tasks")] == ["over", "over"]
    (task,) = client.tasks()
    assert words(shown(f"/tasks/{task.id}").select_one("#head .badge")) == "over"


def test_the_front_page_shows_the_latest_tasks_and_leads_to_all(client, shown):
    for n in range(10):
        client.add_task(NewTask(title=f"task number {n}"))
    front = shown().find(id="tasks")
    assert [a.string for a in front.select(".tasks a")] == [f"task number {n}" for n in range(9, 1, -1)]
    all_tasks = shown(front.find("a", string=re.compile("All tasks"))["href"])
    assert len(all_tasks.select(".tasks .name a")) == 10


def test_what_failed_waits_until_it_is_tried_again_or_let_go(client, shown, http):
    task = ended(client, Exit.FAULT, reason="No bwrap.\nCause: it is missing.\nCure: run `fab deploy`.")
    waits = shown().find(id="waiting").find("article")
    assert (waits.find(class_="cause").get_text(), waits.find(class_="cure").code.string) == (
        "Cause it is missing.",
        "fab deploy",
    )
    assert "1 thing waits" in shown().find(id="standing").get_text()
    assert send(http, f"/tasks/{task.id}/cancel").status == 303
    assert shown().find(id="waiting").find("article") is None


def test_long_questions_are_folded_and_short_ones_are_not(client, shown):
    asking(client, "Keep?")
    asking(client, "word " * 100)
    (folded,) = shown().find(id="waiting").find_all("details", class_="fold")
    assert len(folded.summary.string) < 200
    assert folded.p.string == "word " * 100


def test_what_runs_is_shown_with_its_turn_its_dollars_and_its_last_command(client, shown):
    held = claimed(client, title="Count")
    client.deliver(held.session.id, Batch(fence=1, events=journal()))
    started = {"tool_use_id": "u2", "name": "bash", "input": {"command": "wc -l <bookings.csv"}}
    client.deliver(
        held.session.id, Batch(fence=1, events=(Event(n=5, at=AT, kind=EventKind.TOOL_STARTED, data=started),))
    )
    text = " ".join(shown().find(id="running").get_text().split())
    assert "Count turn 1 of 30 $1.23 so far" in text
    # The list is not made anew at each turn: what it says of a running task's dollars must not contradict that.
    for path in ("/", "/tasks"):
        assert "$0.00 of $5.00 before this run" in shown(path).find(class_="tasks").get_text()
    assert "bash wc -l <bookings.csv" in text
    asked = Event(n=6, at=AT, kind=EventKind.RESERVE, data={"turn": 2})
    client.deliver(held.session.id, Batch(fence=1, events=(asked,)))
    assert "turn 2 of 30" in " ".join(shown().find(id="running").get_text().split())
    assert "asks the model" in shown().find(id="running").get_text()


def test_today_counts_sessions_and_dollars_of_this_utc_day(client, shown, clock):
    held = claimed(client)
    client.deliver(held.session.id, Batch(fence=1, events=journal()))
    today = " ".join(shown().find(id="today").get_text(" ").split())
    assert "Sessions 1 of 5" in today
    assert "Dollars $1.23 of $10.00" in today
    clock.go_on(days=1)
    tomorrow = " ".join(shown().find(id="today").get_text(" ").split())
    assert "Sessions 0 of 5" in tomorrow
    assert "Dollars $0.00 of $10.00" in tomorrow


def test_over_thirty_percent_the_page_says_what_more_turns_had_done(client, shown, clock):
    for limits in (0, 1):
        client.add_task(NewTask(title="t"))
        for code in [Exit.TURN_LIMIT] * limits + [Exit.FINISHED]:
            held = client.claim(ClaimRequest(host="h"))
            client.deliver(held.session.id, Batch(fence=held.lease.fence, events=turns(3)))
            spent = 30 if code is Exit.TURN_LIMIT else 8
            client.end(held.session.id, SessionEnd(fence=held.lease.fence, exit=code, turns=spent, usd_micros=30_000))
        clock.go_on(minutes=2)
        today = shown().find(id="today")
        assert bool(today.find(class_="rule")) is bool(limits)
    rule = " ".join(today.find(class_="rule").get_text().split())
    assert "40 turns would have finished 1 of 1 at once, for $0.08 more, in place of $0.03" in rule
    assert "How sure: of 1 only" in rule


def test_a_limit_that_was_raised_makes_no_session_before_an_early_one(client, shown, clock):
    client.add_task(NewTask(title="t"))
    for limit in (20, None, 30):
        held = client.claim(ClaimRequest(host="h"))
        end = SessionEnd(fence=held.lease.fence, exit=Exit.TURN_LIMIT, turns=limit or 20, turn_limit=limit)
        client.end(held.session.id, end)
        clock.go_on(minutes=2)
        assert ("1 handed over early" in shown().find(id="days-table").get_text()) is (limit != 20)
        # What more turns had done is known of sessions that had the limit of now.
        assert bool(shown().find(class_="rule")) is (limit == 30)


def test_a_task_is_changed_on_its_page_and_a_refused_change_keeps_what_was_typed(client, http):
    task = client.add_task(NewTask(title="t"))
    fields = {"version": str(task.version), "priority": "9", "sessions": "7", "dollars": "2.50"}
    assert send(http, f"/tasks/{task.id}/edit", **fields).status == 303
    assert client.task(task.id).budget == Budget(sessions=7, usd_micros=2_500_000)
    stale = send(http, f"/tasks/{task.id}/edit", **{**fields, "priority": "3"})
    page = BeautifulSoup(stale.data, "html.parser")
    assert (stale.status, page.find(id="edit-priority")["value"]) == (412, "3")
    wrong = send(http, f"/tasks/{task.id}/edit", **{**fields, "version": str(task.version + 1), "sessions": "0"})
    page = BeautifulSoup(wrong.data, "html.parser")
    assert (wrong.status, page.find(id="edit").has_attr("open")) == (422, True)
    assert page.find(id="edit-sessions-wrong").string.startswith("Sessions in all must be")


def test_a_tasks_page_has_its_story_its_checkpoint_and_what_it_made(client, shown):
    held = claimed(client)
    child = client.add_task(NewTask(title="a part", parent=held.task.id))
    client.end(held.session.id, SessionEnd(fence=1, exit=Exit.TURN_LIMIT, reason="half", checkpoint="Done: Monday."))
    page = shown(f"/tasks/{held.task.id}")
    assert "Session 1 handed over at its turn limit" in page.find(id="story").get_text()
    assert "Done: Monday." in page.find(id="checkpoint").get_text()
    assert page.find("a", string="a part")["href"] == f"/tasks/{child.id}"
    assert shown(f"/tasks/{child.id}").find("a", string="the task that made it")["href"] == f"/tasks/{held.task.id}"


def test_files_of_the_page_are_kept_by_their_content_and_asked_for_again_by_another(http, shown):
    for tag, name in (("script", "src"), ("link", "href")):
        for found in shown().find_all(tag):
            answer = http("GET", found[name])
            assert (answer.status, "immutable" in answer.headers["Cache-Control"]) == (200, True)
    assert http("GET", "/assets/style.css?v=old").headers["Cache-Control"] == "no-store"
    assert http("GET", "/assets/secrets.txt").status == 404


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_a_form_from_another_site_is_refused(client, http, headers):
    task = client.add_task(NewTask(title="t"))
    assert http("POST", f"/tasks/{task.id}/cancel", headers=headers).status == 403
    assert client.task(task.id).state is State.QUEUED


def test_a_form_from_the_page_itself_is_taken(client, http, url):
    task = client.add_task(NewTask(title="t"))
    headers = {"Origin": url, "Sec-Fetch-Site": "same-origin"}
    assert http("POST", f"/tasks/{task.id}/cancel", headers=headers).status == 303


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "[", "10.0.0.1:8765"])
def test_a_foreign_host_name_is_refused(http, host):
    assert http("GET", "/", headers={"Host": host}).status in (400, 421)


@pytest.mark.parametrize("host", ["localhost", "localhost:9999", "127.0.0.1:80", "[::1]:80"])
def test_loopback_names_are_served_through_any_tunnel(http, host):
    assert http("GET", "/", headers={"Host": host}).status == 200


def test_the_policy_forbids_what_the_page_does_not_need(http):
    for path in ("/", "/assets/style.css", "/nothing"):
        headers = http("GET", path).headers
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"


def test_what_is_not_there_is_a_readable_page(http):
    for path in ("/nothing", "/tasks/none"):
        response = http("GET", path)
        assert (response.status, response.headers["Content-Type"]) == (404, "text/html; charset=utf-8")


def test_the_page_says_when_no_notification_target_is_set_up(shown):
    assert "no notification target is set up" in shown().find(id="notified").text


def test_the_page_says_what_was_not_delivered_and_nothing_when_all_was(clock, token):
    targets = ("mail",)
    settings = Settings(notify=Notify(targets=targets))
    with running(create(MemoryStore(targets=targets), accepting(token), settings, clock)) as url:
        page, client = lambda: BeautifulSoup(Browser(url, token)("GET").data, "html.parser"), Client(url, token)
        assert page().find(id="notified") is None
        ended(client, Exit.FAULT, reason="no bwrap")
        (message,) = client.due_messages()
        client.settle_message(Delivery(id=message.id, target="mail", delivered=False, answer=HOSTILE))
        clock.go_on(minutes=1)
        assert "1 not delivered" in page().find(id="notified").text
        assert page().find("script", src=False) is None


def test_what_a_task_changed_in_a_repository_is_read_on_its_page(client, shown):
    diff = File(name="site.diff", content=b"--- a/beds\n+++ b/beds\n+<b>double</b>\n\xff")
    task = ended(client, Exit.FINISHED, files=(diff, File(name="site.bundle", content=b"# bundle")))
    page = shown(f"/tasks/{task.id}")
    (changes,) = page.select("details[id^=diff-] pre")
    assert changes.get_text() == "--- a/beds\n+++ b/beds\n+<b>double</b>\n\N{REPLACEMENT CHARACTER}"
    assert [a.string for a in page.select(".files a")] == ["site.diff", "site.bundle"]
