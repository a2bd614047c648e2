"""The page's list of tasks: searched, filtered, and done to many at once, whole without JavaScript.

What is searched for is in the address. Doing something to many is two steps: a page that says what would come to which
tasks, and a form that does exactly that, to each that is still as it was.
"""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from dashboard import bulk, forms, lists
from dashboard.bulk import Bulk
from dashboard.forms import Form, Refusal
from dashboard.queue import Queue
from dashboard.recurring import Recurrences
from dashboard.stores import Listing, Sort
from wire.types import Task, TasksQuery
from wire.values import Invalid

Render = Callable[..., Response]
"""Make a page: request, template, refusal, status and values."""

TASKS = 25
"""Tasks on one page."""
PARTS = 40
"""Parts of a listing that are gone through at most for all that fits: each looks through thousands of tasks."""
FILTERS = ("words", "state", "label", "least", "most", "since", "until", "sort")
"""What the form asks for, and the address holds."""


class Lists:
    """The handlers; they block for the store."""

    def __init__(self, queue: Queue, recurrences: Recurrences, render: Render) -> None:
        self._queue = queue
        self._store = queue.store
        self._recurrences = recurrences
        self._render = render

    def tasks(self, request: Request, refusal: Refusal | None = None) -> Response:
        """GET /tasks: the tasks that fit what is searched for."""
        asked = request.query_params
        refused = refusal
        tasks: list[Task] = []
        found = Listing([])
        try:
            tasks, found = self._found(forms.query(asked), TASKS)
        except Invalid as error:
            refused = refusal or self._refused("search", error, asked)
        typed = typed_filters(asked)
        return self._render(
            request,
            "list.html",
            refused,
            typed=typed,
            tasks=tasks,
            made=self._store.made([task.id for task in tasks]),
            further=urlencode({**typed, "cursor": found.cursor}) if found.cursor else None,
            is_short=len(tasks) < TASKS,
            marked=asked.getlist("task"),
            indexed_from=found.indexed_from,
            recurring=() if typed or asked.get("cursor") else self._recurrences.listed(),
            most=bulk.MOST,
            searches=self._store.searches,
        )

    def _found(self, query: TasksQuery, limit: int) -> tuple[list[Task], Listing]:
        return self._queue.listing(lists.which(query), sort=Sort(query.sort), cursor=query.cursor, limit=limit)

    def preview(self, request: Request) -> Response:
        """GET /tasks/bulk: what would come to which tasks."""
        asked = request.query_params
        try:
            meant = forms.bulk(asked)
            ids, is_all = self._meant(forms.query(asked)) if asked.get("all") else forms.marked(asked.getlist("task"))
        except Invalid as error:
            return self.tasks(request, self._refused("bulk", error, asked))
        found = self._queue.foresee(ids[: bulk.MOST], meant)
        return self._render(
            request,
            "bulk.html",
            None,
            bulk=meant,
            changing=[each for each in found if each.after],
            staying=[each for each in found if not each.after],
            versions=forms.written_versions({each.task.id: each.task.version for each in found if each.after}),
            is_all=is_all and len(ids) <= bulk.MOST,
            back=urlencode(typed_filters(asked)),
        )

    def _meant(self, query: TasksQuery) -> tuple[list[str], bool]:
        """The ids of all tasks that fit, as many as one bulk takes, and whether that is all."""
        ids: list[str] = []
        cursor = query.cursor
        for _ in range(PARTS):
            part = self._store.listing(
                lists.which(query), sort=Sort(query.sort), cursor=cursor, limit=bulk.MOST - len(ids)
            )
            ids += [record.task.id for record in part.records]
            cursor = part.cursor
            if cursor is None or len(ids) >= bulk.MOST:
                break
        return ids, cursor is None

    def apply(self, request: Request, form: Form) -> Response:
        """POST /tasks/bulk: do it, to each task that is still as it was when it was shown."""
        try:
            meant = forms.bulk(form.typed)
            versions = forms.versions(form.typed.get("what", ""))
        except Invalid as error:
            return self.tasks(request, self._refused("bulk", error, form.typed))
        answered = self._queue.apply(meant, versions, request.state.visitor.name)
        done = [each for each in answered if each.after]
        return self._render(
            request,
            "bulk_done.html",
            None,
            bulk=meant,
            done=done,
            left=[each for each in answered if not each.after],
            back=form.typed.get("back", ""),
        )

    @staticmethod
    def _refused(name: str, error: Invalid, typed: Mapping[str, Any]) -> Refusal:
        field, message = forms.complaint(error, typed, name)
        return Refusal(name, message, 422, typed, field)


def typed_filters(asked: Mapping[str, str]) -> dict[str, str]:
    """Return what is searched for, as it was typed: it goes into links and forms."""
    return {name: asked[name] for name in FILTERS if asked.get(name, "").strip()}


def sentence(action: Bulk, count: int) -> str:
    """Say what is about to be done to so many tasks."""
    tasks = "this task" if count == 1 else f"these {count} tasks"
    match action.action:
        case bulk.Action.CANCEL:
            return f"Cancel {tasks}"
        case bulk.Action.PRIORITY:
            return f"Give {tasks} priority {action.priority}"
        case bulk.Action.AFRESH:
            return f"Try {tasks} again afresh"
    return f"Try {tasks} again as {'it' if count == 1 else 'they'} stood"
