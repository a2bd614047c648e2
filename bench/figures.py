"""What the rounds gave, as figures and as the table that is printed: no clock, no I/O."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.table import Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One contender's turn: so many claims with their completions in so many seconds."""

    pairs: int
    seconds: float
    cpu_seconds: float

    @property
    def rate(self) -> float:
        """Pairs a second."""
        return self.pairs / self.seconds

    @property
    def cpu_ms(self) -> float:
        """CPU milliseconds of the client's process for each pair."""
        return 1000 * self.cpu_seconds / self.pairs


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a contender should reach: at least so many times the peer, at most so much CPU."""

    ratio: float | None = None
    cpu_ms: float | None = None


def table(results: Mapping[str, Sequence[Round]], peer: str, targets: Mapping[str, Target]) -> Table:
    """Draw one row for each contender, beside the peer of this name. Targets are shown; missing one is no failure."""
    shown = Table("", title="claim + completion, one client, durable")
    for heading in ("pairs/s, median", "spread", f"× {peer}", "target", "CPU ms/pair", "target"):
        shown.add_column(heading, justify="right")
    for name, rounds in results.items():
        target = targets.get(name, Target())
        rates = [one.rate for one in rounds]
        shown.add_row(
            name,
            f"{statistics.median(rates):,.0f}",
            f"{min(rates):,.0f} - {max(rates):,.0f}",
            _between(ratios(rounds, results[peer])),
            "" if target.ratio is None else f"target ≥ {target.ratio:g} ×",
            f"{statistics.median(one.cpu_ms for one in rounds):.2f}",
            "" if target.cpu_ms is None else f"target ≤ {target.cpu_ms:g}",
        )
    return shown


def ratios(ours: Sequence[Round], peers: Sequence[Round]) -> list[float]:
    """Return round by round how many times faster: each is held against its neighbour in time, so that a machine that
    slows down on the way slows down both.
    """
    return [our.rate / peer.rate for our, peer in zip(ours, peers, strict=True)]


def in_turn(names: Sequence[str], number: int) -> list[str]:
    """Return who goes after whom in a round: each begins in its turn, and every other round goes the other way, so that
    what one leaves for the disk to do is not always the same one's to wait for.
    """
    first = number % len(names)
    turned = [*names[first:], *names[:first]]
    return turned[::-1] if number % 2 else turned


def _between(values: Sequence[float]) -> str:
    """The median, and where the middle half lies: of a wide one the median says little."""
    median = statistics.median(values)
    if len(values) < 2:
        return f"{median:.2f}"
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return f"{median:.2f} ({low:.2f} - {high:.2f})"
