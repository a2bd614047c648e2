"""What a list was asked for, as a store understands it: pure."""

from dashboard.record import moment
from dashboard.stores import TaskFilter
from wire.types import TasksQuery


def which(query: TasksQuery) -> TaskFilter:
    """Return the filter that a query means. Raises `Invalid`."""
    return TaskFilter(
        state=query.state,
        words=query.words,
        label=query.label,
        least=query.least,
        most=query.most,
        since=_seconds(query.since, "since"),
        until=_seconds(query.until, "until"),
    )


def _seconds(text: str | None, name: str) -> float | None:
    return moment(text, name).timestamp() if text else None
