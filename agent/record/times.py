"""Times as the wire writes them."""

from datetime import UTC, datetime

from wire.times import stamp


def rfc3339(seconds: float) -> str:
    """Return seconds since the epoch as a text in UTC."""
    return stamp(datetime.fromtimestamp(seconds, UTC))
