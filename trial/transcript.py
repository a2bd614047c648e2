"""What happened and when, on the screen and in a file, line by line; and commands whose whole output goes there too."""

import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import TextIO

from wire.terminal import printable


class CommandEnded(Exception):
    """A command of the trial ended with another code than 0; its output is in the transcript."""


class Transcript:
    """A dated account. Each line is on disk before the next thing happens, so that a cut leaves all but the last."""

    def __init__(self, file: Path, screen: TextIO, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self.file = file
        self._out = file.open("a", encoding="utf-8", buffering=1)
        self._screen = screen
        self._now = now

    def say(self, text: str) -> None:
        """Add a line with the time of day, UTC, wherever it can still be written."""
        line = f"{self._now():%H:%M:%S}  {printable(text)}\n"
        for out, other in ((self._out, self._screen), (self._screen, self._out)):
            if why := _write(out, line):
                _write(other, f"{out.name} ends here: {why}\n")

    def say_where(self) -> None:
        """Say on the screen where the account is."""
        _write(self._screen, f"jada: the transcript is {self.file}\n")

    def run(self, command: Sequence[str], cwd: Path, env: Mapping[str, str]) -> str:
        """Run a command to its end and return its output. Raises `CommandEnded`.

        An interrupt is passed on to the command, and its end awaited: Pulumi would leave a locked stack behind, and
        resources that its state does not know.
        """
        self.say(f"$ {' '.join(command)}")
        said: list[str] = []
        # A session of its own: else the terminal's Ctrl-C reaches the command as well, a second time.
        process = subprocess.Popen(
            command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, errors="replace", start_new_session=True,
        )  # fmt: skip
        try:
            self._drain(process, said)
        except KeyboardInterrupt:
            process.send_signal(signal.SIGINT)
            self._drain(process, said)
            raise
        if process.returncode:
            raise CommandEnded(f"`{' '.join(command[:3])}` ended with {process.returncode}")
        return "".join(said)

    def _drain(self, process: subprocess.Popen[str], said: list[str]) -> None:
        for line in process.stdout or ():
            said.append(line)
            self.say(f"  {line.rstrip()}")
        process.wait()


def _write(out: TextIO, text: str) -> str | None:
    """Write what may have no reader, or no room, and return why it can't be: the removal must come all the same."""
    try:
        out.write(text)
        out.flush()
    except OSError as error:
        # Nothing more goes there: Python would try to write the rest at its exit, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())
        return error.strerror or str(error)
    return None


def interrupt_once() -> None:
    """Make Ctrl-C, SIGTERM and a closed terminal one `KeyboardInterrupt`: what follows it is the removal of the box."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupted)


def finish_undisturbed() -> None:
    """Ignore further interrupts: half a removal would leave a box that costs money."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def _interrupted(_number: int, _frame: FrameType | None) -> None:
    finish_undisturbed()
    raise KeyboardInterrupt
