"""Progress for the user: a live line on a terminal, plain lines in a log, and what each step took."""

import subprocess
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

from rich.console import Console
from rich.markup import escape


class StepFailed(Exception):
    """A step that failed; the text says its cause to the user, and the cure where we know it."""


class Steps:
    """Named steps, one after another; `logs` is the folder in which each command's whole output is kept."""

    def __init__(self, logs: Path, console: Console | None = None) -> None:
        self.console = console or Console(highlight=False)
        self.taken: list[tuple[str, float]] = []
        self._logs = logs
        self._began = time.monotonic()

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Show that `name` is under way; then that it is done, or that it failed, and the seconds it took."""
        began = time.monotonic()
        live = self.console.status(escape(name)) if self.console.is_terminal else nullcontext()
        if not self.console.is_terminal:
            self._say(f"  …  {escape(name)}")
        try:
            with live:
                yield
        except BaseException:
            self._say(f"  [red]✗[/]  {escape(name)}  [dim]{time.monotonic() - began:.1f} s[/]")
            raise
        self.taken.append((name, time.monotonic() - began))
        self._say(f"  [green]✓[/]  {escape(name)}  [dim]{self.taken[-1][1]:.1f} s[/]")

    def tell(self, text: str) -> None:
        """Print one line of news about the step under way."""
        self._say(f"     [dim]{escape(text)}[/]")

    def _say(self, line: str) -> None:
        # A log has no width: what wraps there can't be searched.
        self.console.print(line, soft_wrap=True)

    def run(
        self, name: str, command: Sequence[str], *, env: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> str:
        """Run a command, its output into a log of its own; returns that output. Raises `StepFailed` with its tail."""
        self._logs.mkdir(parents=True, exist_ok=True)
        log = self._logs / f"{name}.log"
        tail: deque[str] = deque(maxlen=25)
        with log.open("w", encoding="utf-8") as out:
            process = subprocess.Popen(
                command, env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                text=True, errors="replace",
            )  # fmt: skip
            with process:
                for line in process.stdout or ():
                    out.write(line)
                    tail.append(line.rstrip())
        if process.returncode:
            shown = "\n".join(f"     │ {line}" for line in tail)
            raise StepFailed(
                f"`{' '.join(command[:4])} …` ended with {process.returncode}:\n{shown}\n     whole log: {log}"
            )
        return log.read_text(encoding="utf-8")

    @property
    def total(self) -> float:
        """Seconds since the first step could begin."""
        return time.monotonic() - self._began
