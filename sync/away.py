"""The dashboard is away: the sync tells the notification targets by itself, for nothing else would."""

import contextlib
import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from wire.disk import replace_file
from wire.types import SyncOutcome, SyncRun

Tell = Callable[[Sequence[str], str], int]
"""Run a command with a text on its standard input; returns its exit code."""
PAUSE = timedelta(hours=4)
"""Between two messages about one outage; there is a run each half hour."""
_log = logging.getLogger(__name__)


class Away:
    """The message about an outage; when it went out, and which failure it told of, is kept in `file`, until the
    dashboard is back.
    """

    def __init__(self, file: Path, tell: Tell) -> None:
        self._file = file
        self._tell = tell

    def back(self) -> None:
        """The dashboard took a report: the next outage is another one."""
        with _logged():
            self._file.unlink(missing_ok=True)

    def tell(self, run: SyncRun, now: datetime) -> bool:
        """Tell the targets, unless they heard of this outage lately, and of this failure; return whether they know."""
        last, error = self._last()
        # Of a time to come: the clock was set back.
        if timedelta() <= now - last < PAUSE and run.error in (None, error):
            return True
        code = self._tell(command(now), text(run))
        if code:
            _log.error("no notification target heard that the dashboard is away")
            return False
        with _logged():
            replace_file(self._file, f"{now.isoformat()} {run.error or ''}".encode())
        return True

    def _last(self) -> tuple[datetime, str]:
        try:
            at, _, error = self._file.read_text(encoding="utf-8").partition(" ")
            return datetime.fromisoformat(at), error
        except (OSError, ValueError):
            return datetime.fromisoformat("2000-01-01T00:00:00+00:00"), ""


@contextlib.contextmanager
def _logged() -> Iterator[None]:
    """What was told is told, also where the disk is too full for the note of it: then it is told again."""
    try:
        yield
    except OSError as error:
        _log.error("when the dashboard was away can't be kept on disk: %s", error)


def has_targets(secrets: Path) -> bool:
    """Whether there is a target to tell."""
    try:
        return bool((secrets / "notify_targets").read_bytes().strip())
    except OSError:
        return False


def command(now: datetime) -> list[str]:
    """Return the command that sends to all targets, past the queue."""
    name = f"dashboard-away.{int(now.timestamp())}"
    return [sys.executable, "-m", "notify", "tell", "--id", name, "--subject", "The dashboard is away"]


def text(run: SyncRun) -> str:
    """Say what is known: that the dashboard is away, and how this run went, which it would have said."""
    went = f"succeeded: {run.outcome.value}."
    if run.outcome is SyncOutcome.FAILED:
        went = f"failed: {run.error}. Cause: {run.cause}. Cure: {run.cure}"
    return (
        "The sync could not report to the dashboard: no task is worked on, and no alarm reaches you from there.\n"
        f"The sync itself {went}\n"
        "Cure for the dashboard: look at `fab status` and `fab logs --unit jada-dashboard`."
    )


def run_command(words: Sequence[str], said: str) -> int:
    """Run a command; its words go to the journal."""
    import subprocess  # noqa: PLC0415 - few runs start anything

    return subprocess.run(words, input=said, text=True, check=False).returncode
