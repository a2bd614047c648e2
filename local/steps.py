"""Progress for the user: one changing line on a terminal, plain lines in a log, and what each step took."""

import subprocess
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.text import Text

from local.account import Account
from wire.terminal import printable

SILENCE_S = 10.0
"""The longest that a log stays silent during a step."""
WIDTH = 78
"""A line of news that wrapped would break the one changing line of a terminal."""

_WORKING = "at work"
_OF_NO_CONCERN = "warning: using pulumi-"
"""Where Pulumi found its provider, the local cloud's: docs/operating.md says it, a line of progress can't."""


class StepFailed(Exception):
    """A step that failed; the text says its cause to the user, and the cure where we know it."""


class Steps:
    """Named steps, one after another; `logs` is the folder in which each command's whole output is kept.

    `operator` is the user for whom root works, if there is one.
    """

    def __init__(
        self,
        logs: Path,
        console: Console | None = None,
        *,
        operator: Account | None = None,
        silence_s: float = SILENCE_S,
    ) -> None:
        self.console = console or Console(highlight=False, emoji=False)
        self.taken: list[tuple[str, float]] = []
        self.logs = logs
        self.operator = operator
        self._shared: tuple[int, ...] = ()
        self._silence_s = silence_s
        self._spoke = time.monotonic()
        self._activity = _WORKING

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Show that `name` is under way; then that it is done, or that it failed, and the seconds it took."""
        began = time.monotonic()
        self._activity = _WORKING
        if not self._changing:
            self._say(f"  …  {escape(name)}")
        try:
            with self._alive(name, began):
                yield
        except BaseException:
            self._say(f"  [red]✗[/]  {escape(name)}  [dim]{time.monotonic() - began:.1f} s[/]")
            raise
        self.taken.append((name, time.monotonic() - began))
        self._say(f"  [green]✓[/]  {escape(name)}  [dim]{self.taken[-1][1]:.1f} s[/]")

    def tell(self, text: str) -> None:
        """Print one line of news about the step under way."""
        self._activity = text
        # Each line as far in: what others wrote forges no step.
        shown = printable(text, keep_newlines=True).replace("\n", "\n     ")
        self._say(f"     [dim]{escape(shown)}[/]")

    @contextmanager
    def sharing(self, descriptor: int) -> Iterator[None]:
        """Leave an open file to each command that is run meanwhile: a lock is held until the last of them has ended."""
        before = self._shared
        self._shared = (*before, descriptor)
        try:
            yield
        finally:
            self._shared = before

    @property
    def _changing(self) -> bool:
        # A dumb terminal can't go back to the beginning of a line.
        return self.console.is_terminal and not self.console.is_dumb_terminal

    def _say(self, line: str) -> None:
        self._spoke = time.monotonic()
        # A log has no width: what wraps there can't be searched.
        self.console.print(line, soft_wrap=True)

    @contextmanager
    def _alive(self, name: str, began: float) -> Iterator[None]:
        """Show that the step still runs: a changing line, or a plain one whenever there was no other for a while."""
        ended = threading.Event()
        status = self.console.status(Text(name)) if self._changing else None

        look_every_s = min(1.0, self._silence_s / 4)

        def show() -> None:
            while not ended.wait(look_every_s):
                line = printable(f"{time.monotonic() - began:.0f} s  {self._activity}")
                if status:
                    status.update(Text.assemble(name[:40], "  ", (line[: WIDTH - 44], "dim")))
                # A look before it is over: at the next one it would have been too long, on a loaded machine by more.
                elif time.monotonic() - self._spoke >= self._silence_s - 2 * look_every_s:
                    self._say(f"     [dim]{escape(line[: WIDTH - 5])}[/]")

        shower = threading.Thread(target=show, daemon=True)
        shower.start()
        if status:
            status.start()
        try:
            yield
        finally:
            ended.set()
            shower.join()
            if status:
                status.stop()

    def run(
        self,
        name: str,
        command: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        as_operator: bool = False,
    ) -> str:
        """Run a command, its output into a log of its own; returns that output. Raises `StepFailed` with its tail.

        `as_operator` runs it as the user for whom root works; without one it runs as this process does.
        """
        self.logs.mkdir(parents=True, exist_ok=True)
        identity = self.operator.identity() if as_operator and self.operator else {}
        log = self.logs / f"{name}.log"
        tail: deque[str] = deque(maxlen=25)
        with log.open("w", encoding="utf-8") as out:
            if self.operator:
                self.operator.give(self.logs)
            process = subprocess.Popen(
                command, env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                text=True, errors="replace", pass_fds=self._shared, **identity,
            )  # fmt: skip
            with process:
                for line in process.stdout or ():
                    out.write(line)
                    tail.append(line.rstrip().expandtabs())  # a tab would be shown as an escape
                    if not line.startswith(_OF_NO_CONCERN):
                        self._activity = tail[-1].strip() or self._activity
        if process.returncode:
            shown = "\n".join(f"     │ {line}" for line in tail)
            raise StepFailed(
                f"`{' '.join(command[:4])} …` ended with {process.returncode}:\n{shown}\n     whole log: {log}"
            )
        return log.read_text(encoding="utf-8")
