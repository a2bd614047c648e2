"""A task's story: what happened to it, in order, as a page tells it. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from dashboard import words
from wire.types import Act, Deed, Exit, Session, State, Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing that happened: when, what, why; `kind` is its mark's class, `session` where more of it stands, `tasks`
    whom it concerns.
    """

    at: str
    title: str
    text: str = ""
    kind: str = "plain"
    session: str | None = None
    tasks: tuple[str, ...] = ()


_KINDS = {
    Exit.FINISHED: "good",
    Exit.TURN_LIMIT: "plain",
    Exit.ASKED: "waits",
    Exit.BUDGET: "waits",
    Exit.STUCK: "waits",
    Exit.FAULT: "bad",
}
_ENDS = {State.DONE: ("Done", "good"), State.FAILED: ("Failed", "bad"), State.CANCELLED: ("Cancelled", "plain")}


def steps(task: Task, sessions: Sequence[Session], names: Mapping[str, str] = MappingProxyType({})) -> list[Step]:
    """Return a task's story, the oldest step first; `names` are those of hosts that go by another than their own."""
    story = [_done(act) for act in task.acts]
    if not any(act.deed is Deed.ADDED for act in task.acts):
        story.append(Step(at=task.created_at, title="Added" if task.parent is None else "Added by another task"))
    for number, session in enumerate(sessions, 1):
        on = names.get(session.host, session.host)
        story.append(Step(at=session.started_at, title=f"Session {number} began on {on}", session=session.id))
        if session.exit is not None:
            story.append(
                Step(
                    at=session.updated_at,
                    title=f"Session {number} {words.session_end(session)}",
                    text=session.reason,
                    kind=_KINDS.get(session.exit, "plain"),
                    session=session.id,
                )
            )
    if task.waiting:
        story.append(Step(at=task.waiting.since, title="Waits for you", kind="waits"))
    elif task.state in _ENDS:
        title, kind = _ENDS[task.state]
        story.append(Step(at=task.updated_at, title=title, kind=kind))
    elif task.state is State.QUEUED and task.waits_for:
        title = words.subtasks(len(task.waits_for)).capitalize()
        story.append(Step(at=task.updated_at, title=title, kind="waits", tasks=task.waits_for))
    elif task.state is State.QUEUED and task.not_before:
        story.append(Step(at=task.not_before, title="Goes on, not before then"))
    return sorted(story, key=lambda step: step.at)


def _done(act: Act) -> Step:
    deed = act.deed.value
    title = deed.capitalize() if act.deed.is_known else f"“{deed}”, which this release does not know,"
    return Step(at=act.at, title=f"{title} by {act.by}", text=act.text)
