"""The sender: looks into the outbox, sends what is due, and settles each message by the other side's answer."""

import logging
from collections.abc import Callable, Mapping

from notify.send import Result
from notify.settings import TARGETS
from wire.client import Client, RequestRefused, Unreachable
from wire.secret import Secret
from wire.types import Delivery, Message

Send = Callable[[Secret, Message], Result]
LONGEST_PAUSE_S = 30
"""Between two looks while the dashboard is away: what happens meanwhile is sent within a minute of its return."""

log = logging.getLogger(__name__)


class Sender:
    """Sends what is due. `targets` are URLs by name; what has none is settled as not delivered, and said."""

    def __init__(self, client: Client, targets: Mapping[str, Secret], send: Send, poll_s: float) -> None:
        self._client = client
        self._targets = targets
        self._send = send
        self._poll_s = poll_s
        self._missed = 0
        self._unsettled: Delivery | None = None
        self.has_news = False
        """Whether something was due at the last look."""

    def look(self) -> float:
        """Send what is due; return the seconds until the next look."""
        self.has_news = False
        try:
            if delivery := self._unsettled:
                self._unsettled = None
                self._settle(delivery)
            while self._send_due():
                pass
        except (Unreachable, RequestRefused) as error:
            if not self._missed:
                log.warning("%s. What is due is kept in its outbox, and asked for again.", error)
            self._missed += 1
            return min(self._poll_s * float(2**self._missed), LONGEST_PAUSE_S)
        if self._missed:
            log.info("the dashboard answers again")
        self._missed = 0
        return self._poll_s

    def _send_due(self) -> bool:
        """Send one message to each target that has one due; return whether there was any."""
        due = self._client.due_messages()
        self.has_news |= bool(due)
        for message in due:
            result = self._sent(message)
            said = "delivered" if result.delivered else "not delivered, to be tried again"
            level = logging.INFO if result.delivered else logging.WARNING
            log.log(level, "%s to %s: %s (%s)", message.id, message.target, said, result.answer)
            # Only now: a sender that is killed before sends it once more, under the same id.
            self._settle(
                Delivery(id=message.id, target=message.target, delivered=result.delivered, answer=result.answer)
            )
        return bool(due)

    def _settle(self, delivery: Delivery) -> None:
        """Report how a try ended, also once the dashboard is back: what was told may be over by then, is sent no more,
        and closing words are only for those of whom it is known that they were told.
        """
        try:
            self._client.settle_message(delivery)
        except Unreachable:
            self._unsettled = delivery
            raise

    def _sent(self, message: Message) -> Result:
        url = self._targets.get(message.target)
        if url is None:
            return Result(delivered=False, answer=f"the secret {TARGETS} has no URL of this name")
        return self._send(url, message)
