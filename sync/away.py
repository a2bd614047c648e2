"""The dashboard is away: the sync tells the notification targets by itself, for nothing else would."""

import logging
import sys
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from wire.types import SyncOutcome, SyncRun

Tell = Callable[[Sequence[str], str], int]
"""Run a command with a text on its standard input; returns its exit code."""
PAUSE = timedelta(hours=4)
"""Between two messages about one outage; there is a run each half hour."""
_log = logging.getLogger(__name__)


class Away:
    """The message about an outage; when it went out is kept in `file`, until the dashboard is back."""

    def __init__(self, file: Path, tell: Tell) -> None:
        self._file = file
        self._tell = tell

    def back(self) -> None:
        """The dashboard took a report: the next outage is another one."""
        self._file.unlink(missing_ok=True)

    def tell(self, run: SyncRun, now: datetime) -> bool:
        """Tell the targets, unless they heard of this outage lately; return whether they know of it."""
        if now - self._last() < PAUSE:
            return True
        code = self._tell(command(now), text(run))
        if code == 0:
            self._file.write_text(now.isoformat(), encoding="utf-8")
        else:
            _log.error("no notification target heard that the dashboard is away")
        return code == 0

    def _last(self) -> datetime:
        try:
            return datetime.fromisoformat(self._file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return datetime.fromisoformat("2000-01-01T00:00:00+00:00")


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
    went = f"failed: {run.error}" if run.outcome is SyncOutcome.FAILED else f"succeeded: {run.outcome.value}"
    return (
        "The sync could not report to the dashboard: no task is worked on, and no alarm reaches you from there.\n"
        f"The sync itself {went}.\n"
        "Cure: look at `fab status` and `fab logs --unit jada-dashboard`."
    )


def run_command(words: Sequence[str], said: str) -> int:
    """Run a command; its words go to the journal."""
    import subprocess  # noqa: PLC0415 - few runs start anything

    return subprocess.run(words, input=said, text=True, check=False).returncode
