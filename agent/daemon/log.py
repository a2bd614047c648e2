"""The daemon's log: lines to stderr, from where the journal of the host takes them."""

import logging
import sys
from types import TracebackType
from typing import TypeAlias

from wire.terminal import printable

_ExcInfo: TypeAlias = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class Printable(logging.Formatter):
    """Each record is one line: titles, reasons and errors carry text of others, and none of it may forge a second."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's own name
        """Return the record's line."""
        return printable(super().formatMessage(record))

    def formatException(self, ei: _ExcInfo) -> str:  # noqa: N802 - logging's own name
        """Return the traceback's lines."""
        return printable(super().formatException(ei), keep_newlines=True)


def start() -> None:
    """Log to stderr from here on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Printable("%(levelname)s %(message)s"))
    logging.basicConfig(handlers=[handler], level=logging.INFO)
