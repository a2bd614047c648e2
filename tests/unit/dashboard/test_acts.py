"""Who did it: kept beside each answer and action, by the page's sign-in or as the operator's client says, and shown."""

import pytest
import urllib3
from bs4 import BeautifulSoup

from dashboard import acts
from dashboard.acts import KEPT, TEXT
from dashboard.record import Conflict, StaleVersion
from tests.browser import Browser
from wire.client import Client
from wire.types import ClaimRequest, Deed, Edit, Exit, NewTask, Question, Reply, SessionEnd

AT = "2026-05-13T12:00:00Z"


def asks(queue, text="Which?"):
    """A task that waits for an answer."""
    queue.add(NewTask(title="t"), by="anna")
    held = queue.claim(ClaimRequest(host="h"))
    question = Question(tool_use_id="toolu_1", text=text)
    return queue.end(held.session.id, SessionEnd(fence=1, exit=Exit.ASKED, question=question))


def deeds(task):
    return [(act.deed, act.by, act.text) for act in task.acts]


def test_an_answer_is_kept_with_who_gave_it(queue):
    task = asks(queue)
    answered = queue.reply(task.id, Reply(text=" Keep them. "), task.version, "ben")
    assert deeds(answered) == [(Deed.ADDED, "anna", ""), (Deed.ANSWERED, "ben", "Keep them.")]
    assert answered.acts[1].at == AT


def test_a_second_answer_is_a_note_of_who_was_late(queue):
    task = asks(queue)
    queue.reply(task.id, Reply(text="Keep them."), task.version, "ben")
    with pytest.raises(StaleVersion):
        queue.reply(task.id, Reply(text="Drop them."), task.version, "cleo")
    assert deeds(queue.get(task.id))[1:] == [(Deed.ANSWERED, "ben", "Keep them."), (Deed.NOTED, "cleo", "Drop them.")]


def test_what_changes_nothing_is_no_act(queue):
    task = asks(queue)
    for _ in range(2):
        queue.reply(task.id, Reply(text="Keep them."), task.version, "ben")
    for _ in range(2):
        queue.cancel(task.id, "anna")
    assert [act.by for act in queue.get(task.id).acts] == ["anna", "ben", "anna"]
    with pytest.raises(Conflict):
        queue.retry(task.id, by="eve")
    assert "eve" not in [act.by for act in queue.get(task.id).acts]


def test_cancelling_says_so_in_the_subtasks_too(queue):
    parent = queue.add(NewTask(title="parent"), by="anna")[0]
    child = queue.add(NewTask(title="child", parent=parent.id))[0]
    queue.cancel(parent.id, "ben")
    assert deeds(queue.get(child.id)) == [(Deed.CANCELLED, "ben", "")]


def test_a_retry_and_an_edit_have_their_doer(queue):
    queue.add(NewTask(title="t"), by="anna")
    held = queue.claim(ClaimRequest(host="h"))
    queue.end(held.session.id, SessionEnd(fence=1, exit=Exit.FAULT, reason="no bwrap"))
    queue.retry(held.task.id, by="ben")
    task = queue.edit(held.task.id, Edit(priority=9, usd_micros=7_000_000), by="cleo")
    assert deeds(task)[1:] == [(Deed.RETRIED, "ben", ""), (Deed.EDITED, "cleo", "priority 9, dollars $7.00")]


@pytest.mark.parametrize(
    ("given", "deed", "text"),
    [
        (Reply(text="go on"), Deed.ANSWERED, "go on"),
        (Reply(sessions=1), Deed.GRANTED, "1 session"),
        (Reply(sessions=2, usd_micros=500_000, text="go on"), Deed.GRANTED, "2 sessions, $0.50: go on"),
    ],
)
def test_a_grant_says_its_amounts(clock, given, deed, text):
    act = acts.reply("anna", given, clock())
    assert (act.deed, act.text) == (deed, text)


def test_a_task_holds_the_latest_acts_and_the_beginning_of_long_words(queue, clock):
    task = queue.add(NewTask(title="t"), by="anna")[0]
    for number in range(KEPT + 1):
        queue.edit(task.id, Edit(priority=number % 9), by=f"user {number}")
    kept = queue.get(task.id).acts
    assert (len(kept), kept[-1].by) == (KEPT, f"user {KEPT}")
    assert acts.act("anna", Deed.ANSWERED, clock(), "x" * 9000).text == "x" * TEXT + "…"


def test_over_the_api_it_is_who_the_operators_client_says_or_the_callers_name(url, token, client):
    named = Client(url, token, operator="Anna Müller")
    assert named.add_task(NewTask(title="t")).acts[0].by == "Anna Müller"
    assert client.add_task(NewTask(title="t")).acts[0].by == "the tests"


@pytest.mark.parametrize("said", ["%1b[31mred", "%0a%0dnext", "x" * 500, "%E2%80%AE"])
def test_a_name_in_a_header_can_not_act_on_a_terminal(url, token, said):
    headers = {"Authorization": f"Bearer {token.reveal()}", "Jada-Operator": said}
    by = urllib3.request("POST", f"{url}/v1/tasks", json={"title": "t"}, headers=headers).json()["acts"][0]["by"]
    assert by.isprintable()
    assert 0 < len(by) <= 60


def test_the_page_acts_in_the_name_of_who_signed_in_and_tells_it_in_the_tasks_story(url, token, queue, store):
    browser = Browser(url, token, "<b>cleo</b>")
    task = Client(url, token, operator="anna").add_task(NewTask(title="t"))
    assert browser("POST", f"/tasks/{task.id}/cancel").status == 303
    assert deeds(store.get(task.id).task)[1:] == [(Deed.CANCELLED, "<b>cleo</b>", "")]
    told = BeautifulSoup(browser("GET", f"/tasks/{task.id}").data, "html.parser").find(id="story").get_text()
    assert "Added by anna" in told
    assert "Cancelled by <b>cleo</b>" in told


def test_a_bulk_is_done_by_who_signed_in(url, token, queue, store):
    browser, task = Browser(url, token, "cleo"), queue.add(NewTask(title="t"), by="anna")[0]
    fields = {"do": "priority", "priority": "9", "what": f"{task.id}:{task.version}"}
    page = browser("POST", "/tasks/bulk", fields=fields)
    assert page.status == 200
    assert deeds(store.get(task.id).task)[1:] == [(Deed.EDITED, "cleo", "priority 9")]
