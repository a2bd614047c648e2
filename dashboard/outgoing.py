"""What is sent to users: from a record's change to notices, one for each target, and from notices to messages.

A notice is a row of the outbox, written with the change that it tells of. It is sent until the other side has answered,
with growing pauses and without an end; what is over by then is withdrawn, and what was sent gets closing words. Several
notices that are due at once go out as one message, and so does what is too much for a target.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from msgspec.structs import replace

from dashboard.record import Record, moment
from wire.types import Delivery, Message, Need, Notifications, State
from wire.values import Written

NoticesMove = Callable[[Sequence["Notice"]], Iterable["Notice"]]
"""From the notices that a store found to those to write."""

TELLING = frozenset({State.NEEDS_YOU, State.FAILED})
"""States that a user hears of."""
FAILED, OVER = "failed", "over"
"""Kinds of notices beside those of `wire.types.Need`."""
SUPERSEDED = "Its cause is known by now."
"""Closing words of an alarm that goes on under another title."""
SINGLE = 3
"""Notices that go out as messages of their own when they are due together; more of them are one message."""
WINDOW_S = 600
"""Messages to one target within so many seconds; what comes beyond them waits, and goes out as one."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 30, 600
"""Before the second try, and between the later ones at most."""
LISTED = 20
"""Notices that a message of several names; the rest are counted."""
LONG = 1500
"""Characters of a notice's text in its message: chat services refuse one that is longer than 1,024 to 4,096 in all."""


class Notice(Written, frozen=True, kw_only=True):
    """A fact for one target. `due_at`, in seconds since 1970, is None when nothing is left to send; `closing` are the
    words to send when it is over, empty until then; `message` is the id that it is being sent under; `sent` counts.
    """

    id: str
    target: str
    task: str
    kind: str
    title: str
    text: str
    at: str
    due_at: float | None = None
    closing: str = ""
    message: str = ""
    tries: int = 0
    sent: int = 0
    sent_at: float | None = None
    answer: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What the operator set: the targets, whether texts may leave the box, when to remind, the page's address, and
    the most messages to a target within `WINDOW_S`.
    """

    targets: tuple[str, ...]
    whole: bool = True
    remind_s: float = 0
    link: str | None = None
    burst: int = 6


def concerns(old: Record | None, new: Record) -> bool:
    """Whether a change may make or close notices."""
    return new.task.state in TELLING or (old is not None and old.task.state in TELLING)


def news(old: Record | None, new: Record, held: Sequence[Notice], targets: Sequence[str]) -> list[Notice]:
    """Return the notices to write with a record's change, given those of its task that are held."""
    open_ones = [notice for notice in held if not notice.closing and notice.kind != OVER]
    if old is not None and old.task.state is new.task.state:
        if old.task.title == new.task.title:
            return [replace(notice, text=_text(new)) for notice in open_ones if notice.text != _text(new)]
        # An alarm that knows its cause by now is another fact; the one before needs no closing words.
        stale = [replace(notice, closing=SUPERSEDED, due_at=None) for notice in open_ones]
        return [*stale, *_opened(new, targets)]
    over = [each for notice in open_ones for each in ended(notice, _closing(new), _seconds(new))]
    return [*over, *_superseded_over(held, open_ones, new), *_opened(new, targets)]


def _superseded_over(held: Sequence[Notice], open_ones: Sequence[Notice], new: Record) -> Iterator[Notice]:
    """Close what an alarm was called before: who was sent nothing later hears under that name that it is over."""
    unsent = {notice.target for notice in open_ones if not notice.sent}
    before = [notice for notice in held if notice.closing == SUPERSEDED]
    yield from (replace(notice, closing=_closing(new)) for notice in before)
    latest = {notice.target: notice for notice in before if notice.sent and notice.target in unsent}
    yield from (_last(notice, _closing(new), _seconds(new)) for notice in latest.values())


def caught_up(record: Record, held: Sequence[Notice], targets: Sequence[str], now: float) -> list[Notice]:
    """Return the notices by which targets that are new hear of what still waits; `held` are those of its task. One that
    was set before, and whose notice was withdrawn unsent when it was not, gets that.
    """
    open_ones = [notice for notice in held if not notice.closing and notice.kind != OVER]
    known = {notice.target: notice for notice in open_ones}
    fresh = [replace(known[t], due_at=now) for t in targets if t in known and not _is_told(known[t])]
    # Under the fact's id, where another target has it: its record may have moved on since.
    facts = open_ones[-1:] or _opened(record, targets[:1])
    blank = {"message": "", "tries": 0, "sent": 0, "sent_at": None, "answer": "", "due_at": now}
    return fresh + [replace(fact, target=t, **blank) for t in targets if t not in known for fact in facts]


def _is_told(notice: Notice) -> bool:
    return notice.sent > 0 or notice.due_at is not None


def _opened(record: Record, targets: Sequence[str]) -> list[Notice]:
    task = record.task
    if task.state not in TELLING:
        return []
    kind = task.waiting.kind.value if task.waiting else FAILED
    return [
        Notice(
            id=f"{task.id}.{kind}.{task.version}",
            target=target,
            task=task.id,
            kind=kind,
            title=task.title,
            text=_text(record),
            at=task.updated_at,
            due_at=_seconds(record),
        )
        for target in targets
    ]


def _text(record: Record) -> str:
    return (record.task.waiting.text if record.task.waiting else record.task.reason) or ""


def _seconds(record: Record) -> float:
    return moment(record.task.updated_at, "updated_at").timestamp()


def _closing(record: Record) -> str:
    words = {
        State.QUEUED: "It is in the queue again.",
        State.RUNNING: "It runs again.",
        State.DONE: record.task.result or "It is done.",
        State.CANCELLED: "It was cancelled.",
    }
    return words.get(record.task.state, f"It is {record.task.state.value} by now.")


def ended(notice: Notice, closing: str, now: float) -> Iterator[Notice]:
    """Withdraw a notice. Its message's id stays: a try under way may still succeed, and then has closing words due."""
    yield replace(notice, closing=closing, due_at=None)
    if notice.sent:
        yield _last(notice, closing, now)


def _last(notice: Notice, closing: str, now: float) -> Notice:
    fresh = {"closing": "", "message": "", "tries": 0, "sent": 0, "sent_at": None, "answer": ""}
    return replace(notice, id=f"{notice.id}.{OVER}", kind=OVER, text=closing, due_at=now, **fresh)


def is_quiet(local: datetime, hours: tuple[str, str] | None) -> bool:
    """Whether a local time is within the quiet hours, which may span midnight; only alarms are sent then."""
    if hours is None:
        return False
    begin, end = hours
    at = local.strftime("%H:%M")
    return begin <= at < end if begin <= end else at >= begin or at < end


def assigned(due: Sequence[Notice], lately: Mapping[str, int], policy: Policy, *, quiet: bool) -> list[Notice]:
    """Return due notices that changed: they get the id of the message that they go out in, and keep it until that is
    delivered; those of a target that is set no more are withdrawn. `lately`: messages that each target got within the
    last `WINDOW_S`.
    """
    gone = [replace(notice, due_at=None) for notice in due if notice.target not in policy.targets]
    open_ones = [notice for notice in due if notice.message or not quiet or notice.kind == Need.ALARM]
    for target in policy.targets:
        mine = [notice for notice in open_ones if notice.target == target]
        gone += _assigned(mine, policy.burst - lately.get(target, 0))
    return gone


def _assigned(due: Sequence[Notice], left: int) -> list[Notice]:
    fresh = [notice for notice in due if not notice.message]
    room = left - len({notice.message for notice in due if notice.message})
    if room <= 0:
        return []
    if len(fresh) <= min(SINGLE, room):
        return [replace(notice, message=_message_id(notice)) for notice in fresh]
    ids = "\n".join(_message_id(notice) for notice in fresh)
    group = f"{hashlib.sha256(ids.encode()).hexdigest()[:26]}.group"
    return [replace(notice, message=group) for notice in fresh]


def _message_id(notice: Notice) -> str:
    """The fact's id; a reminder is a message of its own."""
    return notice.id if not notice.sent else f"{notice.id}.reminder-{notice.sent}"


def messages(due: Sequence[Notice], policy: Policy) -> list[Message]:
    """Return one message for each target, the least tried first: one that fails again and again holds up no other."""
    ready = [notice for notice in due if notice.message]
    parts: dict[tuple[str, str], list[Notice]] = {}
    for notice in sorted(ready, key=lambda notice: (notice.tries, notice.due_at, notice.id)):
        parts.setdefault((notice.target, notice.message), []).append(notice)
    first: dict[str, list[Notice]] = {}
    for (target, _), notices in parts.items():
        first.setdefault(target, notices)
    return [_message(notices, policy) for notices in first.values()]


def _message(notices: Sequence[Notice], policy: Policy) -> Message:
    notice, *others = notices
    subject = f"{len(notices)} notices" if others else _headline(notice, policy)
    body = _list(notices, policy) if others else _body(notice, policy)
    return Message(
        id=notice.message, target=notice.target, subject=f"[jada] {subject} ({notice.message})", text="\n".join(body)
    )


_HEADLINES = {
    Need.QUESTION.value: "Question",
    Need.BUDGET.value: "Budget used up",
    Need.STUCK.value: "Stuck",
    Need.ALARM.value: "Alarm",
    FAILED: "Failed",
    OVER: "Over",
}


def _headline(notice: Notice, policy: Policy) -> str:
    word = _HEADLINES.get(notice.kind, "Needs you")
    word = f"Reminder: {word}" if notice.sent else word
    return f"{word}: {notice.title if policy.whole or not notice.task else f'task {notice.task}'}"


def _body(notice: Notice, policy: Policy) -> Iterator[str]:
    yield f"{_headline(notice, policy)}, since {notice.at}."
    if policy.whole and notice.text:
        yield f"\n{_cut(notice)}"
    if notice.kind != OVER:
        yield f"\n{_command(notice)}"
    yield from _where(policy, f"/tasks/{notice.task}" if notice.task else "/")


def _cut(notice: Notice) -> str:
    if len(notice.text) <= LONG:
        return notice.text
    # At a word, but not far before: without spaces little would be left.
    end = max(notice.text.rfind(space, LONG - 100, LONG) for space in " \n")
    shows = f"fab task.show {notice.task}" if notice.task else "fab status"
    return f"{notice.text[: end if end > 0 else LONG]} … the rest: {shows}"


_COMMANDS = {
    Need.QUESTION.value: 'answer {task} --text "…"',
    Need.STUCK.value: 'answer {task} --text "…"',
    Need.BUDGET.value: "answer {task} --dollars 5",
    FAILED: "retry {task}",
}
"""What brings a task on, by the kind of its notice; others are looked at."""


def _command(notice: Notice) -> str:
    if not notice.task:
        return "fab status"
    said = _COMMANDS.get(notice.kind, "show {task}")
    return f"fab task.{said.format(task=notice.task)}"


def _list(notices: Sequence[Notice], policy: Policy) -> Iterator[str]:
    yield from (_headline(notice, policy) for notice in notices[:LISTED])
    if len(notices) > LISTED:
        yield f"and {len(notices) - LISTED} more"
    yield "\nfab status"
    yield from _where(policy, "/")


def _where(policy: Policy, path: str) -> Iterator[str]:
    if policy.link:
        yield policy.link.rstrip("/") + path


def settled(held: Sequence[Notice], delivery: Delivery, now: float, policy: Policy) -> list[Notice]:
    """Return the notices of a message after a try: sent, or due again after a pause that grows up to a bound."""
    settle = _delivered if delivery.delivered else _refused
    mine = [notice for notice in held if notice.message == delivery.id and notice.target == delivery.target]
    return [each for notice in mine for each in settle(replace(notice, answer=delivery.answer[:200]), now, policy)]


def _delivered(notice: Notice, now: float, policy: Policy) -> Iterator[Notice]:
    goes_on = not notice.closing and notice.kind != OVER
    due_at = now + policy.remind_s if goes_on and policy.remind_s else None
    yield replace(notice, message="", tries=0, sent=notice.sent + 1, sent_at=now, due_at=due_at)
    if notice.closing and not notice.sent:
        yield _last(notice, notice.closing, now)


def _refused(notice: Notice, now: float, _policy: Policy) -> Iterator[Notice]:
    if notice.closing:
        yield replace(notice, message="")
        return
    pause_s = min(FIRST_PAUSE_S * 2**notice.tries, LONGEST_PAUSE_S)
    yield replace(notice, tries=notice.tries + 1, due_at=now + pause_s)


def standing(soon: Sequence[Notice], now: float, policy: Policy) -> Notifications:
    """Return how telling users stands, by the notices that are due within the longest pause: those that were tried in
    vain are unsent in their pauses too.
    """
    mine = [notice for notice in soon if notice.target in policy.targets]
    unsent = [notice for notice in mine if notice.tries or (notice.due_at or 0) <= now]
    answers = [notice for notice in unsent if notice.answer]
    return Notifications(
        targets=policy.targets,
        unsent=len(unsent),
        oldest=min((notice.at for notice in unsent), default=None),
        answer=f"{answers[0].target}: {answers[0].answer}" if answers else "",
    )
