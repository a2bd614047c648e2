"""What the operator sees while something takes time: a line for each step and its seconds, coloured on a terminal."""

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.status import Status
from rich.text import Text

from wire.terminal import printable
from wire.values import encode

SLOW_S = 2.0
"""A step that takes longer says that it is under way."""


class Lines(Console):
    """A console whose reader may go away: the command then ends as the shell's do, where Rich's own exits with 1. It
    prints what it is given: to Rich's own, `:100:` in a place of a file is an emoji.
    """

    def __init__(self, **given: Any) -> None:
        super().__init__(highlight=False, soft_wrap=True, emoji=False, **given)

    def on_broken_pipe(self) -> None:
        """Let the error go on to whom it concerns. Rich calls it while it handles that error."""
        raise  # noqa: PLE0704 - see above


class Progress:
    """Steps on a console. In a log a slow step's line is printed when it has become slow, and again at its end.

    `aside` is for commands whose output is the point: steps and notes go to standard error, and only slow steps.
    """

    def __init__(
        self,
        console: Console | None = None,
        *,
        aside: bool = False,
        name: str = "",
        clock: Callable[[], float] = time.monotonic,
        slow_s: float = SLOW_S,
    ) -> None:
        self.console = console or Lines()
        self._steps = Lines(stderr=True) if aside else self.console
        self._aside = aside
        self._status: Status | None = None
        self._name = name
        self._clock, self._slow_s = clock, slow_s

    def named(self, name: str) -> "Progress":
        """Return the same, for one of several things under way at once: its lines begin with a name."""
        other = Progress(self.console, aside=self._aside, name=name, clock=self._clock, slow_s=self._slow_s)
        other._steps = self._steps
        return other

    def _line(self, text: str) -> str:
        return _line(f"{self._name}: {text}" if self._name and not text.startswith(self._name) else text)

    def say(self, text: str, style: str = "") -> None:
        """Print one line."""
        self.console.print(self._line(text), style=style or None)

    def note(self, text: str) -> None:
        """Print one line that is no part of the output that the command is for."""
        self._steps.print(self._line(text))

    def done(self, text: str, seconds: float) -> None:
        """Print that a step is done; its seconds when they were many."""
        if seconds >= self._slow_s:
            self._steps.print(f"  [green]✓[/] {self._line(text)}  [dim]{seconds:.1f} s[/]")
        elif not self._aside:
            self._steps.print(f"  [green]✓[/] {self._line(text)}")

    @contextmanager
    def step(self, text: str) -> Iterator[None]:
        """Show a step: under way, done with its seconds, or failed."""
        began = self._clock()
        try:
            with self._under_way(text):
                yield
        except BaseException:
            self._steps.print(f"  [red]✗[/] {self._line(text)}  [dim]{self._clock() - began:.1f} s[/]")
            raise
        self.done(text, self._clock() - began)

    @contextmanager
    def counted(self, text: str) -> Iterator[Callable[[int], None]]:
        """Show a step as `step` does, and how many megabytes of it are done: the block calls what it is given with
        bytes.
        """
        done = 0
        shown = 0.0
        with self.step(text):

            def count(more: int) -> None:
                nonlocal done, shown
                done += more
                if self._status is not None and self._clock() - shown > 0.2:
                    self._status.update(Text(printable(f"{text}: {done / 1e6:.1f} MB")))
                    shown = self._clock()

            yield count

    @contextmanager
    def _under_way(self, text: str) -> Iterator[None]:
        # One line can move at a time: of several things none does, and on a dumb terminal none can.
        if self._steps.is_terminal and not self._steps.is_dumb_terminal and not self._name:
            # A text: of a string it would make one by itself, with emojis.
            with self._steps.status(Text(printable(text))) as self._status:
                yield
            self._status = None
            return
        timer = threading.Timer(self._slow_s, self._steps.print, [f"  … {self._line(text)}"])
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()


def print_json(value: Any) -> None:
    """Print a value for a program, on standard output; in ASCII, so that no text in it acts on a terminal."""
    sys.stdout.write(json.dumps(encode(value), indent=2) + "\n")


def _line(text: str) -> str:
    """One line of plain text: neither its control characters act on the terminal nor its brackets on rich."""
    return escape(printable(text))
