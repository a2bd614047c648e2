"""When a five-field cron expression is due, in a time zone: pure, by cronsim, as Debian's cron has it.

A run at a set time is due once in autumn's double hour, and right after spring's missing one.
"""

from datetime import UTC, datetime, timedelta, tzinfo

from cronsim import CronSim, CronSimError

from wire.values import Invalid

FIELDS = 5
# Where the search for a first time begins: whether there is one does not depend on it.
_ANY_DAY = datetime(2026, 1, 1, tzinfo=UTC)
_BROKEN = (CronSimError, AssertionError, TypeError, ValueError)
"""What cronsim raises for an expression that is none."""


def require_cron(expression: str) -> None:
    """Raise `Invalid` for what is no expression of five fields, and for one that is never due."""
    if len(expression.split()) != FIELDS:
        raise Invalid("cron", f"must have five fields (minute, hour, day, month, day of week), not {expression!r}")
    try:
        next(CronSim(expression, _ANY_DAY))
    except _BROKEN as error:
        why = str(error).lower() or "it cannot be read"
        raise Invalid("cron", f"must be a cron expression, not {expression!r}: {why}") from None
    except StopIteration:
        raise Invalid("cron", f"is never due: {expression!r} names a day that no year has") from None


def latest(expression: str, zone: tzinfo, now: datetime) -> datetime:
    """Return when it was due last, at `now` or before."""
    # The next whole second: going backwards, cronsim leaves out the one it begins at.
    after = (now.astimezone(UTC) + timedelta(seconds=1)).replace(microsecond=0).astimezone(zone)
    return next(CronSim(expression, after, reverse=True)).astimezone(UTC)


def following(expression: str, zone: tzinfo, now: datetime) -> datetime:
    """Return when it is due next, after `now`."""
    return next(CronSim(expression, now.astimezone(zone))).astimezone(UTC)
