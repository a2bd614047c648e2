"""How often sessions end at their turn limit, and what a higher one would have done: pure, from recorded turns.

The rule is that of the incident this project comes from: when more than 30 % of the sessions hit the limit, consider 40
to 50 turns and watch the cost. What a longer session would have done cannot be observed. It is estimated from the
sessions that followed at the same task: what they needed to finish is what was missing at the limit, at the most,
because they first had to read what was handed over.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from dashboard.stores.journal import Used
from wire.types import Counted, Exit, Session

RULE = 0.3
"""The share of sessions at their limit from which on a higher one is considered."""
FEW = 10
"""Under so many sessions a rate says little, whatever it is."""
Z = 1.645
"""Of an interval that holds the truth nine times in ten."""
LEAST_POINTS = 5
"""Turns by which a trend is drawn; with fewer, all are taken to cost the same."""


@dataclass(frozen=True, slots=True)
class Interval:
    """From where to where a share lies, nine times in ten (Wilson's score interval)."""

    low: float
    high: float

    def __str__(self) -> str:
        """Write it as people do."""
        return f"{self.low * 100:.0f} to {self.high * 100:.0f} %"


def interval(hits: int, total: int) -> Interval:
    """Return where the share behind `hits` of `total` lies; of none nothing is known."""
    if total == 0:
        return Interval(0.0, 1.0)
    share, spread = hits / total, Z * Z / total
    middle = (share + spread / 2) / (1 + spread)
    half = Z * math.sqrt(share * (1 - share) / total + spread / (4 * total)) / (1 + spread)
    return Interval(max(0.0, middle - half), min(1.0, middle + half))


@dataclass(frozen=True, slots=True)
class Rate:
    """Of `ended` sessions, those that used up their turns, and those that a full context ended before."""

    hits: int
    early: int
    ended: int

    @property
    def share(self) -> float:
        """The share of sessions at their limit."""
        return self.hits / self.ended if self.ended else 0.0

    @property
    def is_over(self) -> bool:
        """Whether it is over the rule."""
        return self.share > RULE

    @property
    def sureness(self) -> str:
        """Say how far the figure is to be trusted."""
        if not self.ended:
            return "no session has ended"
        found = interval(self.hits, self.ended)
        between = f"{found}, nine times in ten"
        if self.ended < FEW:
            return f"of {self.ended} sessions only: anything from {between}"
        if found.low > RULE or found.high < RULE:
            return between
        return f"{between}: the 30 % lie within"


def is_over(session: Session) -> bool:
    """Whether a session has come to its end: a suspended one goes on, and a fenced one was not its own to end."""
    return session.exit is not None and not session.suspended and session.exit is not Exit.FENCED


def is_hit(session: Session, turns: int) -> bool:
    """Whether a session handed over because its turns were used up: those that it had, or `turns`, the limit of now,
    where it is not known how many.
    """
    return session.exit is Exit.TURN_LIMIT and session.turns >= (session.turn_limit or turns)


def is_hit_of_now(session: Session, turns: int) -> bool:
    """Whether a session used up its turns, and a limit of `turns`, that of now, was its own."""
    return is_hit(session, turns) and session.turn_limit in {None, turns}


def rate(sessions: Iterable[Session], turns: int) -> Rate:
    """Return how often sessions ended at their limit, which is `turns` now."""
    over = [session for session in sessions if is_over(session)]
    handed_over = [session for session in over if session.exit is Exit.TURN_LIMIT]
    hits = sum(is_hit(session, turns) for session in handed_over)
    return Rate(hits=hits, early=len(handed_over) - hits, ended=len(over))


def counted(sessions: Sequence[Session], hours: int, turns: int) -> Counted:
    """Count how the sessions that began within so many hours ended."""
    found = rate(sessions, turns)
    return Counted(
        hours=hours,
        begun=len(sessions),
        ended=found.ended,
        finished=sum(session.exit is Exit.FINISHED for session in sessions),
        hits=found.hits,
        early=found.early,
        failed=sum(has_failed(session) for session in sessions),
        sureness=found.sureness,
    )


def has_failed(session: Session) -> bool:
    """Whether a session stopped for a fault, or because it got nowhere; an exit that is not known is no good one."""
    return session.exit is not None and (session.exit in (Exit.FAULT, Exit.STUCK) or not session.exit.is_known)


@dataclass(frozen=True, slots=True)
class Hit:
    """A session at its limit: what it used turn by turn, and the sessions that followed at its task, oldest first."""

    session: Session
    series: Sequence[Used]
    followed: Sequence[Session]


def hits(sessions: Sequence[Session], series: Mapping[str, Sequence[Used]], turns: int) -> list[Hit]:
    """Return those at the limit of now, each with what followed at its task."""
    by_task: dict[str, list[Session]] = {}
    for session in sorted(sessions, key=lambda session: session.id):
        by_task.setdefault(session.task, []).append(session)
    return [
        Hit(session, series.get(session.id, ()), family[i + 1 :])
        for family in by_task.values()
        for i, session in enumerate(family)
        if is_over(session) and is_hit_of_now(session, turns)
    ]


@dataclass(frozen=True, slots=True)
class Projection:
    """What a limit of `turns` would have done: how many of the `known` sessions had finished, how many are `unknown`
    because what followed has not come to an end, what the further turns had cost, and what of the sessions that
    followed they had replaced.
    """

    turns: int
    finished: int
    known: int
    unknown: int
    more_usd_micros: int
    instead_usd_micros: int
    unpriced: int

    @property
    def sureness(self) -> str:
        """Say how far the figures are to be trusted."""
        if not self.known:
            return "nothing is known yet: no task at the limit has come to its end"
        found = interval(self.finished, self.known)
        few = f"of {self.known} only: anything from" if self.known < FEW else "from"
        unpriced = f"; {self.unpriced} without recorded turns are not in the dollars" if self.unpriced else ""
        return f"{few} {found}, nine times in ten{unpriced}"


def project(found: Sequence[Hit], old: int, new: int, context: int) -> Projection:
    """Estimate what `new` turns instead of `old` would have done, where a context of so many tokens ends a session."""
    finished = known = unpriced = more = instead = 0
    for hit in found:
        room = min(new - old, _turns_until(hit.series, context))
        needed = _needed(hit.followed)
        used = sum(session.turns for session in hit.followed)
        is_known = needed is not None or used > room
        known += is_known
        finished += needed is not None and needed <= room
        turns = room if needed is None else min(room, needed)
        if len(hit.series) == 0:
            unpriced += 1
            continue
        more += _cost(hit.series, old, turns)
        instead += _replaced(hit.followed, turns)
    return Projection(
        turns=new,
        finished=finished,
        known=known,
        unknown=len(found) - known,
        more_usd_micros=more,
        instead_usd_micros=instead,
        unpriced=unpriced,
    )


def _needed(followed: Sequence[Session]) -> int | None:
    """The turns until the task was finished; None while it is not."""
    turns = 0
    for session in followed:
        turns += session.turns
        if session.exit is Exit.FINISHED:
            return turns
    return None


def _turns_until(series: Sequence[Used], context: int) -> int:
    """How many turns more fit into a context, which grows on as it did; where it is not recorded, any number."""
    sizes = [used.tokens for used in series if used.tokens is not None]
    turns = sum(used.turns for used in series)
    if not sizes or turns < 2:
        return 10**6
    growth = max(1.0, (sizes[-1] - sizes[0]) / (turns - 1))
    return max(0, int((context - sizes[-1]) / growth))


def _cost(series: Sequence[Used], old: int, more: int) -> int:
    """What `more` turns after the last had cost, by the trend of the recorded ones: each reads a longer context."""
    base, slope = _trend(series)
    return round(sum(max(0.0, base + slope * turn) for turn in range(old + 1, old + more + 1)))


def _trend(series: Sequence[Used]) -> tuple[float, float]:
    """The price of a turn by its number, as the straight line of least squares."""
    points: list[tuple[float, float]] = []
    turn = 0
    for used in series:
        for _ in range(used.turns):
            turn += 1
            points.append((turn, used.usd_micros / used.turns))
    if not points:
        return 0.0, 0.0
    mean_x, mean_y = sum(x for x, _ in points) / len(points), sum(y for _, y in points) / len(points)
    if len(points) < LEAST_POINTS:
        return mean_y, 0.0
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    slope = sum((x - mean_x) * (y - mean_y) for x, y in points) / spread
    return mean_y - slope * mean_x, slope


def _replaced(followed: Sequence[Session], turns: int) -> int:
    """What of the sessions that followed so many turns had made needless: their share of those turns."""
    used = sum(session.turns for session in followed)
    share = min(1.0, turns / used) if used else 0.0
    return round(sum(session.usd_micros for session in followed) * share)
