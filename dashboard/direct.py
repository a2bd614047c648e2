"""What the outbox cannot keep, because the queue cannot be written or trusted: told from memory, to each target.

The sender asks and settles as ever. After a restart of the dashboard it is told once more, under another id: at least
once, never not at all.
"""

import threading
from datetime import datetime

from msgspec.structs import replace

from dashboard import outgoing
from dashboard.outgoing import Notice, Policy
from wire.times import stamp
from wire.types import Delivery, Message, Need

TITLE = "The queue cannot be written"
WRITABLE = "The queue can be written again."


class Direct:
    """An outbox of one fact: that the queue cannot be written, and why. Calls come from several threads."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._lock = threading.Lock()
        self._notices: dict[tuple[str, str], Notice] = {}

    def raised(self, why: str, new_id: str, now: datetime) -> None:
        """Tell it, unless it is being told."""
        with self._lock:
            if self._open():
                return
            fact = Notice(
                id=f"unwritten.{new_id}",
                target="",
                task="",
                kind=Need.ALARM.value,
                title=TITLE,
                text=f"{why}.\nWhat was acknowledged stays; what comes now is refused until this is mended.",
                at=stamp(now),
                due_at=now.timestamp(),
            )
            self._keep([replace(fact, target=target) for target in self._policy.targets])

    def over(self, now: datetime) -> None:
        """Say that it is over to those who were told."""
        with self._lock:
            ended = [each for notice in self._open() for each in outgoing.ended(notice, WRITABLE, now.timestamp())]
            self._keep(ended)
            self._notices = {key: notice for key, notice in self._notices.items() if _is_wanted(notice)}

    def due(self, now: datetime) -> list[Message]:
        """Return the messages that are due, one for each target at most."""
        seconds = now.timestamp()
        with self._lock:
            self._keep(outgoing.assigned(self._due(seconds), {}, self._policy, quiet=False))
            return outgoing.messages(self._due(seconds), self._policy)

    def settle(self, delivery: Delivery, now: datetime) -> bool:
        """Keep how a try ended; return whether the message was one of these."""
        with self._lock:
            mine = [notice for notice in self._notices.values() if notice.message == delivery.id]
            self._keep(outgoing.settled(mine, delivery, now.timestamp(), self._policy))
            return bool(mine)

    def _open(self) -> list[Notice]:
        return [notice for notice in self._notices.values() if not notice.closing and notice.kind != outgoing.OVER]

    def _due(self, seconds: float) -> list[Notice]:
        return [n for n in self._notices.values() if n.due_at is not None and n.due_at <= seconds]

    def _keep(self, notices: list[Notice]) -> None:
        self._notices |= {(notice.id, notice.target): notice for notice in notices}


def _is_wanted(notice: Notice) -> bool:
    """Whether a notice may still be sent, or settled by a try that is under way."""
    return notice.due_at is not None or bool(notice.message)
