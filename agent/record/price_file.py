"""The file with the prices: `prices.toml` beside this module, or the operator's copy of it."""

import tomllib
from pathlib import Path

from agent.record.prices import Prices, read
from wire.values import Invalid

OURS = Path(__file__).with_name("prices.toml")


def load(path: Path | None, model: str) -> Prices:
    """Read prices, ours without a path, and refuse a `model` they don't know. Raises `Invalid` with the cause."""
    source = path or OURS
    try:
        table = tomllib.loads(source.read_text("utf-8"))
    except OSError as error:
        raise Invalid(
            str(source), f"can't be read: {error.strerror}; set [agent] prices to a file like ours"
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise Invalid(str(source), f"is not valid TOML: {error}") from error
    return read(table, str(source), model)
