"""What people type into the page's forms, read into the contract's values: pure. Errors name the form's fields."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation

from dashboard.bulk import MOST, Action, Bulk
from wire.types import FILE_NAME, ULID, Edit, NewTask, Reply, State, TasksQuery
from wire.values import Invalid, decode

MOST_URGENT = 9
FIELDS = {"budget.sessions": "sessions", "budget.usd_micros": "dollars", "usd_micros": "dollars"}
"""Names of the contract whose form field is called otherwise."""

LABELS = {
    ("", "title"): "Title",
    ("", "description"): "What is to be done",
    ("", "files"): "Files it works with",
    ("", "text"): "Your answer",
    ("", "labels"): "Labels",
    ("", "priority"): "Priority",
    ("", "sessions"): "Sessions",
    ("", "dollars"): "Dollars",
    ("answer", "sessions"): "More sessions",
    ("answer", "dollars"): "More dollars",
    ("edit", "sessions"): "Sessions in all",
    ("edit", "dollars"): "Dollars in all",
    ("search", "words"): "Words",
    ("search", "state"): "State",
    ("search", "label"): "Label",
    ("search", "least"): "Cost, from",
    ("search", "most"): "Cost, up to",
    ("search", "since"): "Added, from",
    ("search", "until"): "Added, up to",
    ("search", "sort"): "Order",
    ("search", "cursor"): "This part of the list",
    ("bulk", "task"): "No task:",
    ("bulk", "do"): "What to do",
}
"""What a form's field is called on the page; with an empty form, in each that has no words of its own."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A file as a browser sent it."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Form:
    """A form as it was sent: texts by field, and files."""

    typed: Mapping[str, str]
    uploads: Sequence[Upload] = ()


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why which form was not done: in which of its inputs (None: none), with what typed."""

    form: str
    message: str
    status: int
    typed: Mapping[str, str]
    input: str | None = None


def new_task(form: Form) -> NewTask:
    """Read the form that adds a task; raises `Invalid`."""
    typed = form.typed
    budget = {"sessions": _whole(typed, "sessions"), "usd_micros": _micros(typed, "dollars")}
    task = {
        "title": typed.get("title", "").strip(),
        "description": typed.get("description", ""),
        "priority": _whole(typed, "priority"),
        "budget": budget,
        "labels": typed.get("labels", "").replace(",", " ").split(),
        "context": [{"name": _plain(upload.name), "content": upload.content} for upload in form.uploads],
    }
    return decode(NewTask, task)


def reply(form: Form) -> Reply:
    """Read the form that answers what waits; raises `Invalid`."""
    grant = {"sessions": _whole(form.typed, "sessions"), "usd_micros": _micros(form.typed, "dollars")}
    return decode(Reply, {"text": form.typed.get("text") or None, **grant})


def edit(form: Form) -> Edit:
    """Read the form that changes priority and budget; raises `Invalid`."""
    dollars = _micros(form.typed, "dollars")
    return decode(
        Edit,
        {"priority": _whole(form.typed, "priority"), "sessions": _whole(form.typed, "sessions"), "usd_micros": dollars},
    )


def query(asked: Mapping[str, str]) -> TasksQuery:
    """Read the form that searches; what is left empty filters nothing. Days are UTC's, and whole. Raises `Invalid`."""
    names = ("words", "state", "label", "sort", "cursor")
    texts = {name: asked.get(name, "").strip() for name in names}
    costs = {name: _micros(asked, name) for name in ("least", "most") if asked.get(name, "").strip()}
    days = {"since": _day(asked, "since", 0), "until": _day(asked, "until", 1)}
    given = {name: value for name, value in {**texts, **days}.items() if value}
    return decode(TasksQuery, {**given, **costs})


def _day(asked: Mapping[str, str], name: str, later: int) -> str | None:
    """The beginning of a day, or of so many days later."""
    text = asked.get(name, "").strip()
    if not text:
        return None
    try:
        return f"{date.fromisoformat(text) + timedelta(days=later)}T00:00:00Z"
    except (ValueError, OverflowError):
        raise Invalid(name, f"must be a day like 2026-05-13, not {text!r}") from None


def bulk(typed: Mapping[str, str]) -> Bulk:
    """Read what is to be done to many tasks. Raises `Invalid`."""
    name = typed.get("do", "")
    if name not in [action.value for action in Action]:
        raise Invalid("do", "is to be chosen")
    priority = _whole(typed, "priority") if name == Action.PRIORITY else None
    if priority is not None and priority > MOST_URGENT:
        raise Invalid("priority", f"must be at most {MOST_URGENT}")
    return Bulk(action=Action(name), priority=priority)


def marked(ids: Sequence[str]) -> tuple[list[str], bool]:
    """Return the tasks that were marked, and that these are all. Raises `Invalid` for none."""
    if not ids:
        raise Invalid("task", "mark the tasks that are meant, or choose all that fit")
    return [*ids], True


def versions(text: str) -> dict[str, int]:
    """Read which tasks are meant, as they were shown: `id:version`, with spaces between. Raises `Invalid`."""
    found = [re.fullmatch(rf"({ULID}):([0-9]{{1,15}})", part) for part in text.split()]
    read = {match[1]: int(match[2]) for match in found if match}
    if not found or len(read) != len(found) or len(read) > MOST:
        raise Invalid("task", "look at the list once more, and choose again")
    return read


def written_versions(held: Mapping[str, int]) -> str:
    """Write which tasks are meant, for `versions`."""
    return " ".join(f"{task_id}:{version}" for task_id, version in held.items())


def state(text: str | None) -> State | None:
    """Read the filter of the list; what is no state filters nothing."""
    return State(text) if text in list(State) else None


def complaint(error: Invalid, typed: Mapping[str, str], form: str) -> tuple[str, str]:
    """Return the form's field that an error is about, and the error in the words of that field's label."""
    whole = error.field.partition("[")[0]
    field = "files" if whole == "context" else FIELDS.get(error.field, whole)
    if field == "title" and not typed.get("title", "").strip():
        return field, "The title is missing."
    label = LABELS.get((form, field)) or LABELS.get(("", field)) or field.capitalize()
    return field, f"{label} {error.reason}."


def _plain(name: str) -> str:
    if not re.fullmatch(FILE_NAME, name):
        rule = "need plain names of letters, digits, dots, dashes and underscores, beginning with a letter or digit"
        raise Invalid("files", f"{rule}: rename {name!r}")
    return name


def whole(text: str) -> int | None:
    """Read a whole number, or None; of at most 15 digits, so that it fits any store's integers."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None


def _whole(typed: Mapping[str, str], name: str) -> int:
    text = typed.get(name, "").strip() or "0"
    number = whole(text)
    if number is None:
        raise Invalid(name, f"must be a whole number, not {text!r}")
    return number


def _micros(typed: Mapping[str, str], name: str) -> int:
    text = typed.get(name, "").strip() or "0"
    try:
        # Not float: an amount as it was typed has no binary fraction.
        dollars = Decimal(text)
        is_amount = dollars.is_finite() and 0 <= dollars < 10**6
        if is_amount:
            return int(dollars * 1_000_000)
    except InvalidOperation:
        pass  # said below, as for a number that is none of ours
    raise Invalid(name, f"must be an amount like 2.50, not {text!r}")
