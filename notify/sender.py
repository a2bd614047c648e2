"""The sender: looks into the outbox, sends what is due, and settles each message by the other side's answer."""

import logging
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from notify.send import AT_ONCE, Result
from notify.settings import TARGETS
from wire.client import Client, RequestRefused, Unreachable
from wire.exchange import AGAIN
from wire.secret import Secret
from wire.types import Delivery, Message

Send = Callable[[Secret, Message], Result]
LONGEST_PAUSE_S = 30
"""Between two looks while the dashboard is away: what happens meanwhile is sent within a minute of its return."""

log = logging.getLogger(__name__)


class Sender:
    """Sends what is due, to some targets at once, one message at a time to each. `targets` are URLs by name; what has
    none is settled as not delivered, and said.
    """

    def __init__(self, client: Client, targets: Mapping[str, Secret], send: Send, poll_s: float) -> None:
        self._client = client
        self._targets = targets
        self._send = send
        self._poll_s = poll_s
        self._missed = 0
        self._pool = ThreadPoolExecutor(AT_ONCE)
        self._under_way: dict[Future[Delivery], Message] = {}
        self._failing: set[str] = set()
        self.has_news = False
        """Whether something was due at the last look."""

    def look(self) -> float:
        """Send what is due, and what becomes due meanwhile; return the seconds until the next look."""
        self.has_news = False
        try:
            self._settle()
            while self._begin():
                wait(self._under_way, self._poll_s, FIRST_COMPLETED)
                self._settle()
        except (Unreachable, RequestRefused) as error:
            if not self._missed:
                log.warning("%s. What is due is kept in its outbox, and asked for again.", error)
            self._missed += 1
            return min(self._poll_s * float(2**self._missed), LONGEST_PAUSE_S)
        if self._missed:
            log.info("the dashboard answers again")
        self._missed = 0
        return self._poll_s

    def _begin(self) -> bool:
        """Begin with what is due and has a place; return whether anything is under way. What has none is asked for
        anew: by then another host may have the outbox.
        """
        due = self._client.due_messages()
        self.has_news |= bool(due)
        busy = {message.target for message in self._under_way.values()}
        # Those that failed last, and never in the last place: others are not to wait for them.
        for message in sorted(due, key=lambda message: message.target in self._failing):
            places = AT_ONCE - 1 if message.target in self._failing else AT_ONCE
            if message.target not in busy and len(busy) < places:
                self._under_way[self._pool.submit(self._try, message)] = message
                busy.add(message.target)
        return bool(self._under_way)

    def _try(self, message: Message) -> Delivery:
        result = self._sent(message)
        said = "delivered" if result.delivered else "not delivered, to be tried again"
        level = logging.INFO if result.delivered else logging.WARNING
        log.log(level, "%s to %s: %s (%s)", message.id, message.target, said, result.answer)
        return Delivery(id=message.id, target=message.target, delivered=result.delivered, answer=result.answer)

    def _settle(self) -> None:
        """Report how tries ended. A sender that is killed before sends these messages once more, under the same ids.

        While the dashboard is away, or too busy, it is kept: what was told may be over by then, is sent no more, and
        closing words are only for those of whom it is known that they were told.
        """
        for ended in [each for each in self._under_way if each.done()]:
            delivery = ended.result()
            (self._failing.discard if delivery.delivered else self._failing.add)(delivery.target)
            message = self._under_way.pop(ended)
            try:
                self._client.settle_message(delivery)
            except (Unreachable, RequestRefused) as error:
                if isinstance(error, Unreachable) or error.problem.status in AGAIN:
                    self._under_way[ended] = message
                raise

    def _sent(self, message: Message) -> Result:
        url = self._targets.get(message.target)
        if url is None:
            return Result(delivered=False, answer=f"the secret {TARGETS} has no URL of this name")
        return self._send(url, message)
