"""What a trial will cost, said before anything is made, and what it came to: pure values and words."""

import math
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PLANS = Path(__file__).parent / "plans.toml"
# 31 days: Lightsail bills hours up to a month's price, which only the longest month reaches.
HOURS_OF_A_MONTH = 744
YES = "yes"


class TrialRefused(Exception):
    """The trial can't or must not begin; the message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Offer:
    """One box of a plan and one task of at most `usd` dollars; `spreadsheet` and `worksheet` are written into."""

    host: str
    account: str
    region: str
    bundle: str
    usd: float
    model: str
    spreadsheet: str
    worksheet: str

    def lines(self) -> Iterator[str]:
        """Say what will be made, written and spent."""
        hourly = hour(self.bundle)
        yield f"one box, {self.host}, plan {self.bundle} in {self.region}, on the account of {self.account}:"
        yield f"  ${hourly:.4f} for each begun hour (${hourly * HOURS_OF_A_MONTH:.2f} a month); usually one hour"
        yield f"one task, worked by {self.model}: at most ${self.usd:.2f}"
        yield f"one sheet, written into: tab {self.worksheet} of spreadsheet {self.spreadsheet}; it stays as it then is"
        yield f"in all at most ${self.usd + hourly:.2f} when it ends within the hour; the box is destroyed at the end"


@dataclass(frozen=True, slots=True)
class Bill:
    """What was used: how long the box stood, and what the model's answers cost by the price list.

    Not `whole` when the trial was cut off: an answer may have been paid of which the queue has not heard.
    """

    seconds: float
    model_usd: float
    whole: bool = True

    def lines(self, bundle: str) -> Iterator[str]:
        """Say each part and the sum."""
        hours = max(1, math.ceil(self.seconds / 3600))
        box = hours * hour(bundle)
        yield f"box: {self.seconds / 60:.1f} minutes, {hours} begun × ${hour(bundle):.4f} = ${box:.4f}"
        least = "" if self.whole else "at least "
        yield f"model: {least}${self.model_usd:.4f}, by the price list of the release"
        yield f"together: {least}${box + self.model_usd:.4f}; what counts is the bill of AWS and Anthropic"


def hour(bundle: str) -> float:
    """Return what an hour of a plan costs; raises `TrialRefused` for one that is not in plans.toml."""
    plans = tomllib.loads(PLANS.read_text(encoding="utf-8"))
    size = bundle.partition("_")[0]
    if size not in plans:
        raise TrialRefused(f"no price is known for the plan {bundle!r}: take one of {', '.join(plans)}, as micro_3_0")
    return float(plans[size]) / HOURS_OF_A_MONTH


def require_yes(word: str | None) -> None:
    """Refuse whatever is not the word itself."""
    if word != YES:
        raise TrialRefused(f'nothing was made: this needs an outright "{YES}", as YES={YES} or typed')
