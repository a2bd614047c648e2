"""The log of a program on the host: lines for its journal, none of which the text of others can forge."""

import logging
import sys
from types import TracebackType
from typing import TextIO, TypeAlias

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


class Lines(logging.StreamHandler[TextIO]):
    """Writes to a stream. `through` is what a signal's handler raises: by default it would be lost with a line that is
    being written, and the program never end.
    """

    def __init__(self, stream: TextIO | None = None, through: tuple[type[Exception], ...] = ()) -> None:
        super().__init__(stream)
        self._through = through

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's own name
        """Let through what is not of the log."""
        error = sys.exc_info()[1]
        if isinstance(error, self._through):
            raise error
        super().handleError(record)


def start(form: str, stream: TextIO | None = None, through: tuple[type[Exception], ...] = ()) -> None:
    """Log to a stream (stderr) from here on, each record as `form` says; an uncaught error is one of them."""
    handler = Lines(stream, through)
    handler.setFormatter(Printable(form))
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
    sys.excepthook = _log_uncaught


def _log_uncaught(kind: type[BaseException], error: BaseException, at: TracebackType | None) -> None:
    logging.getLogger().critical("ended by an error that was not foreseen", exc_info=(kind, error, at))
