"""The day's caps of all hosts together, as claims take of them and ends give back (`dashboard.caps`).

What is taken is written before the claim, and given back after what failed: by as many writes as that takes, because a
cap must hold for each, and a claim and its day need not be written at once. A dashboard that is killed between the two
leaves something taken that is not used, never a session too many.
"""

from datetime import UTC, datetime

from ulid import ULID

from dashboard import caps
from dashboard.caps import Caps, DayUse
from dashboard.record import Clock, NotClaimable, Record
from dashboard.stores import Store

MOST = 100_000
"""Sessions of a day that are counted where a cap is new."""


class CapMet(NotClaimable):
    """The day has not left what a claim needs."""


class Daily:
    """See the module; methods block for the store."""

    def __init__(self, store: Store, most: Caps, clock: Clock) -> None:
        self._store = store
        self.most = most
        self._clock = clock

    @property
    def today(self) -> str:
        """The present UTC day."""
        return self._clock().astimezone(UTC).date().isoformat()

    def used(self) -> DayUse:
        """Return what is used of today."""
        day = self.today
        return self._store.day(day) or self._known(day)

    def _known(self, day: str) -> DayUse:
        """What the queue knows of a day of which nothing was taken yet: the cap may be new."""
        midnight = datetime.fromisoformat(day).replace(tzinfo=UTC)
        begun = self._store.recent_sessions(str(ULID.from_datetime(midnight))[:10] + "0" * 16, limit=MOST)
        spent = sum(used.usd_micros for each, used in self._store.spent(day).items() if each == day)
        return DayUse(len(begun), spent + sum(record.reserved for record in self._store.leased()))

    def take(self, record: Record) -> tuple[str, DayUse]:
        """Take what a claim of this task may need, or what is left of it; return the day, and what was taken. Raises
        `CapMet`.
        """
        day = self.today
        own = record.task.budget.usd_micros - record.task.usd_micros_spent
        if record.root != record.task.id:
            # No more than its family has left, or each claim would give the rest back by a write of its own.
            own = min(own, self._store.budget(record.root).usd_micros + record.reserved)
        # One that has nothing left must still be told to its user, by a claim.
        own = max(1, own)
        asked = DayUse(0 if record.goes_on else 1, own)
        held = record.reserved if record.day == day else 0
        known = self._store.day(day) or self._known(day)
        taken: list[DayUse | None] = []

        def move(old: DayUse | None) -> DayUse:
            used = old or known
            taken.append(caps.share(asked, self.most, used, held))
            return caps.add(used, taken[-1]) if taken[-1] else used

        self._store.change_day(day, move)
        if taken[-1] is None:
            raise CapMet
        return day, taken[-1]

    def give_back(self, day: str | None, left: DayUse) -> None:
        """Give back what was not used."""
        if day and left != DayUse(0, 0):
            self._store.change_day(day, caps.give_back(left))
