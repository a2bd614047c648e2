"""Times as the wire and what is written have them."""

import functools
from datetime import UTC, datetime


# What is written at once has one moment in several places.
@functools.lru_cache(maxsize=16)
def stamp(moment: datetime) -> str:
    """Write a time as the contract has it: RFC 3339, UTC, whole seconds, so that texts sort as times."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
