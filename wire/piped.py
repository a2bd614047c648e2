"""A stream to read that another thread writes: for two libraries of which each wants to be the one that calls."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO


@dataclass
class Piped:
    """What is read; `failure` is how the writer ended, once the block is left. A reader who stopped early makes it a
    BrokenPipeError.
    """

    stream: IO[bytes]
    failure: BaseException | None = None


@contextmanager
def piped(write: Callable[[IO[bytes]], object]) -> Iterator[Piped]:
    """Yield what `write` writes, while it does; at the block's end it has ended too. What it raises is only kept: the
    stream ends there, and the caller knows which of the two failures tells more.
    """
    reading, writing = os.pipe()
    both = Piped(os.fdopen(reading, "rb"))

    def run() -> None:
        try:
            with os.fdopen(writing, "wb") as out:
                write(out)
        except BaseException as error:  # noqa: BLE001 - it belongs to the other thread
            both.failure = error

    writer = threading.Thread(target=run, daemon=True)
    writer.start()
    try:
        yield both
    finally:
        both.stream.close()  # or a writer that is not done would wait for its reader
        writer.join()
