"""Who adds a field to a task is told of each place that must know it: answer, form, page, `fab`, filter, template,
the model's tool, and what tells two requests apart.

A place that a field does not belong in is said here, with the reason.
"""

import inspect
import re

import pytest

from agent.tools.people import CREATE_TASK
from dashboard import forms, recurring
from dashboard.application import create
from dashboard.list_page import typed_filters
from dashboard.requests import digests
from dashboard.rules import same_request
from dashboard.settings import Recurring, Settings, Template
from dashboard.stores import TaskFilter
from dashboard.stores.memory import MemoryStore
from local.serve import running
from provision.commands import queue as refusals
from provision.commands import task as fab
from tests.browser import Browser
from tests.tokens import accepting
from wire.client import Client
from wire.secret import Secret
from wire.types import AskedBudget, File, NewTask, Problem, State, Task, TasksQuery
from wire.values import Invalid, decode, known_fields

TOKEN = Secret("a-token-of-the-tests")
PARENT = "01KRGKAHG0E073R7GREH4AHP70"
SAMPLES = {
    "title": "Count the rooms",
    "description": "all of them, twice",
    "context": (File(name="rooms.csv", content=b"1"),),
    "priority": 7,
    "budget": AskedBudget(sessions=3, usd_micros=7_770_000),
    "not_before": "2031-05-13T12:00:00Z",
    "parent": PARENT,
    "dedupe_key": "rooms-of-may",
    "id": "01KRGKAHG0E073R7GREH4AHP71",
    "labels": ("night-shift",),
}
"""A value of each field that asks for a task, to be found again wherever it must show."""
SHOWN = {"labels": "night-shift", "context": "rooms.csv", "budget": "7.77", "not_before": "2031-05-13"}
"""How a value reads where it is not shown as it is."""
TYPED = {"context": ["files"], "budget": ["sessions", "dollars"]}
"""Fields whose inputs of a form have other names."""
OPTIONS = {"context": ["context"], "labels": ["label"], "budget": ["sessions", "dollars"]}
"""Fields whose options of the command have other names."""
NOT_TYPED = {
    "not_before": "not offered on the page yet",
    "parent": "only create_task makes children",
    "dedupe_key": "for programs that queue work",
    "id": "only create_task derives ids",
}
NOT_SHOWN = {"dedupe_key": "for programs", "parent": "a link, whose text says nothing of the parent"}
NOT_FILTERED = {
    *("title", "description", "context", "priority", "budget"),
    *("not_before", "parent", "dedupe_key", "id", "labels"),
}
"""Fields by which tasks are not listed; labels are, each by itself."""
NOT_IN_A_TEMPLATE = {
    "context": "files are chosen for each task",
    "not_before": "what recurs has its own time",
    "parent": "only create_task makes children",
    "dedupe_key": "that of what recurs is the dashboard's own",
    "id": "only create_task derives ids",
}
IN_A_TEMPLATE = {"budget": {"sessions": 3, "dollars": 7.77}}
"""Fields that a template has under other names."""
THE_MODELS = {"context": "files"}
"""Fields that the model names otherwise in `create_task`."""
NOT_THE_MODELS = {
    **dict.fromkeys(("priority", "budget", "parent", "id"), "bound to those of its parent"),
    **dict.fromkeys(("not_before", "dedupe_key", "labels"), "the operator's"),
}
FILTERS = {
    "state": State.RUNNING,
    "words": "nothing",
    "label": "day-shift",
    "least": 1,
    "most": 0,
    "since": "2031-05-13T12:00:00Z",
    "until": "2001-05-13T12:00:00Z",
}
"""A value of each filter that the sample does not fit; it has cost nothing."""
FITTING = {"most": 0}
SEARCHED = {"state": "running", "least": "0.5", "most": "0.5", "since": "2031-05-13", "until": "2001-05-13"}
"""How a filter is typed into the page's form, where not as it is."""

FIELDS = [field.encode_name for field in known_fields(NewTask)]


TEMPLATED = [name for name in FIELDS if name not in NOT_IN_A_TEMPLATE]
OF_A_TEMPLATE = [(name, IN_A_TEMPLATE.get(name, {name: SAMPLES[name]})) for name in TEMPLATED if name in SAMPLES]


@pytest.fixture(scope="module")
def templates():
    """Settings with one template that has all the fields that a template can have, as far as it has them."""
    known = {field.encode_name for field in known_fields(Template)}
    given = {name: value for _, own in OF_A_TEMPLATE for name, value in own.items() if name in known}
    each = Recurring(template="rooms", cron="0 6 * * 1")
    return Settings(templates={"rooms": Template(**given)}, recurring={"weekly": each})


@pytest.fixture(scope="module")
def queue(templates):
    """A dashboard with one task that has all fields; yields its URL and the task."""
    with running(create(MemoryStore(), accepting(TOKEN), templates)) as url:
        client = Client(url, TOKEN)
        client.add_task(NewTask(title="parent", id=PARENT, budget=AskedBudget(usd_micros=10_000_000)))
        yield url, client.add_task(NewTask(**SAMPLES))


@pytest.mark.parametrize("field", FIELDS)
def test_what_is_asked_for_is_answered(queue, field):
    _, task = queue
    answer, sample = getattr(task, field), SAMPLES[field]
    if field == "context":
        answer, sample = [info.name for info in answer], [file.name for file in sample]
    if field == "budget":
        answer, sample = (answer.sessions, answer.usd_micros), (sample.sessions, sample.usd_micros)
    if field == "priority":
        sample = 5  # never above its parent's
    assert answer == sample


@pytest.mark.parametrize("field", FIELDS)
def test_a_request_that_differs_in_it_is_another_request(field):
    plain, other = NewTask(title="another"), NewTask(**{"title": "another", field: SAMPLES[field]})
    assert not same_request(digests(plain), digests(other))


@pytest.mark.parametrize("field", [name for name in FIELDS if name not in NOT_TYPED])
def test_the_pages_form_and_fab_ask_for_it(queue, field):
    url, _ = queue
    page = Browser(url, TOKEN)("GET", "/add").data.decode()
    assert all(f'name="{name}"' in page for name in TYPED.get(field, [field]))
    assert all(("", name) in forms.LABELS for name in TYPED.get(field, [field]))
    options = inspect.signature(fab.add.body).parameters
    assert all(name in options for name in OPTIONS.get(field, [field]))


@pytest.mark.parametrize("field", [name for name in FIELDS if name not in NOT_TYPED])
def test_a_refusal_names_the_form_s_field_and_the_option(field):
    inside = {"budget": ["budget.sessions", "budget.usd_micros"]}.get(field, [field])
    for name in inside:
        shown, said = forms.complaint(Invalid(name, "is wrong"), {"title": "t"}, "add")
        assert shown in TYPED.get(field, [field])
        assert said == f"{forms.LABELS['', shown]} is wrong."
        option = str(refusals.refusal(Problem(title="t", status=422, detail="d", field=name))).partition(": ")[2]
        assert option.startswith("--")


@pytest.mark.parametrize("field", TEMPLATED)
def test_a_template_has_it_or_it_is_said_why_not(queue, templates, field):
    url, _ = queue
    names = IN_A_TEMPLATE.get(field, {field: SAMPLES[field]})
    assert set(names) <= {each.encode_name for each in known_fields(Template)}
    # A run that recurs, and the form and the command that begin with a template.
    assert getattr(recurring.new_task("weekly", templates.recurring["weekly"], templates), field) == SAMPLES[field]
    begun = Client(url, TOKEN).templates()[0]
    if field != "description":  # the command reads it from a file too, beside the other fields
        assert getattr(decode(NewTask, fab.typed({}, {}, begun)), field) == SAMPLES[field]
    page = Browser(url, TOKEN)("GET", "/add?template=rooms").data.decode()
    assert all(str(value[0] if isinstance(value, tuple) else value) in page for value in names.values())


def test_the_model_s_tool_takes_each_field_or_it_is_said_why_not():
    offered = CREATE_TASK["input_schema"]["properties"]
    assert {THE_MODELS.get(name, name) for name in FIELDS if name not in NOT_THE_MODELS} == set(offered)


@pytest.mark.parametrize("field", [name for name in FIELDS if name not in NOT_TYPED and name not in TYPED])
def test_what_is_typed_into_the_form_is_what_is_asked_for(field):
    sample = " ".join(SAMPLES[field]) if field == "labels" else str(SAMPLES[field])
    typed = {"title": "t", "sessions": "1", "dollars": "1", "priority": "1", field: sample}
    assert getattr(forms.new_task(forms.Form(typed)), field) == SAMPLES[field]


@pytest.mark.parametrize("field", [name for name in FIELDS if name not in NOT_SHOWN])
def test_the_tasks_page_and_fab_show_it(queue, field):
    url, task = queue
    page = re.sub(r"\s+", " ", Browser(url, TOKEN)("GET", f"/tasks/{task.id}").data.decode())
    value = SHOWN.get(field, str(getattr(task, field)))
    assert value in page
    assert value in "\n".join(fab.details(task, ()))


def test_each_field_is_a_filter_or_said_not_to_be():
    filters = {field.encode_name for field in known_fields(TasksQuery)} - {"limit", "cursor", "sort"}
    assert filters == set(FILTERS)
    assert filters == set(TaskFilter.__dataclass_fields__)
    assert set(FIELDS) <= filters | NOT_FILTERED


@pytest.mark.parametrize("name", FILTERS)
def test_each_filter_is_offered_everywhere_and_filters(queue, name):
    url, task = queue
    assert name in inspect.signature(Client.tasks).parameters
    assert name in inspect.signature(fab.list_.body).parameters
    page = Browser(url, TOKEN)("GET", "/tasks").data.decode()
    assert f'name="{name}"' in page.partition('role="search"')[2].partition("</form>")[0]
    assert getattr(forms.query({name: SEARCHED.get(name, FILTERS[name])}), name) is not None
    found = list(Client(url, TOKEN).tasks(**{name: FILTERS[name]}))
    assert (task.id in {each.id for each in found}) == (name in FITTING)


@pytest.mark.parametrize("name", [*FILTERS, "sort"])
def test_each_filter_goes_into_the_next_page_s_address_and_into_what_is_done_to_all_that_fit(name):
    # Without it, "cancel all that fit" would cancel what did not fit.
    assert typed_filters({name: "typed"}) == {name: "typed"}


@pytest.mark.parametrize("name", FILTERS)
def test_each_option_of_the_command_that_lists_filters(queue, name):
    url, task = queue
    typed = {"least": "0.5", "most": "0"}.get(name, str(FILTERS[name]))
    found = Client(url, TOKEN).tasks(**fab.asked_for({name: typed}, "newest"))
    assert (task.id in {each.id for each in found}) == (name in FITTING)


def test_what_a_task_has_beyond_what_was_asked_for_is_shown_too():
    kept_by_the_queue = {field.encode_name for field in known_fields(Task)} - set(FIELDS)
    assert kept_by_the_queue == {
        *("state", "version", "created_at", "updated_at", "fence", "sessions_used", "usd_micros_spent"),
        *("result", "files", "waiting", "reason", "acts", "waits_for"),
    }, "a field that the queue keeps: show it on the page and in fab task.show, then say it here"
