"""A session's process: started from the release that the daemon itself runs from, and not outliving the daemon."""

import contextlib
import functools
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self

_PASSED_ON = ("PATH", "LANG", "CREDENTIALS_DIRECTORY")
"""All that a session gets of the environment: where commands and its credentials are, no secret itself."""
LOOK_S = 9.0
"""Longest look at the host, in seconds: the daemon says to systemd every 10 that it lives."""
# linux/prctl.h: the standard library has no prctl.
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36


@dataclass(frozen=True, slots=True)
class Release:
    """Where sessions are spawned from: a Python and the folder of its packages, both without links that may move."""

    python: Path
    app: Path

    @classmethod
    def own(cls) -> Self:
        """Return the release that this process runs from, resolved now: a later deploy does not change it."""
        environment = Path(sys.prefix).resolve()  # the interpreter itself stays a link: it is what makes it a venv
        return cls(environment / "bin" / Path(sys.executable).name, Path(__file__).resolve().parents[2])

    def command(self, folder: Path) -> list[str]:
        """Return the command line of a session."""
        return [str(self.python), "-m", "agent.session", str(folder)]

    def look(self, settings: Path, state: Path, environment: Mapping[str, str]) -> str | None:
        """Return what keeps this host from any work (see `agent.fitness`), None when nothing is found."""
        command = [str(self.python), "-m", "agent.fitness", str(settings.resolve()), str(state.resolve())]
        try:
            done = subprocess.run(
                command, cwd=self.app, env=self.environment(environment), stdin=subprocess.DEVNULL, capture_output=True,
                timeout=LOOK_S, text=True, errors="replace", check=False,
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"the host could not be looked at: {error}"
        if done.returncode in (0, 1):
            return done.stdout or None
        return f"the host could not be looked at: {done.stderr.strip()[-500:]}"

    def environment(self, own: Mapping[str, str]) -> dict[str, str]:
        """Return the environment of a session, given the daemon's own."""
        passed_on = {name: own[name] for name in _PASSED_ON if name in own}
        return {**passed_on, "PYTHONPATH": str(self.app), "PYTHONUNBUFFERED": "1"}


@functools.cache
def _libc() -> Any:
    """Load the C library: with the first session, but before its fork, after which no moment is safe for that."""
    import ctypes  # noqa: PLC0415 - a daemon that has had nothing to do has no use for it

    return ctypes.CDLL(None)


class Child(Protocol):
    """A running session, as the daemon knows it."""

    def ended(self) -> str | None:
        """Return how the process ended, in words; None while it runs."""
        ...

    def terminate(self) -> None:
        """Ask it to drain."""
        ...

    def kill(self) -> None:
        """End it at once, and wait for it."""
        ...


class Process:
    """One running session as a process, in a process group of its own."""

    def __init__(self, release: Release, folder: Path, environment: Mapping[str, str]) -> None:
        daemon = os.getpid()
        # What the session leaves behind becomes the daemon's own child, and is told by this from others.
        libc = _libc()
        libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self._others = _children()

        def die_with_the_daemon() -> None:
            libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            if os.getppid() != daemon:  # it died before the line above
                os._exit(1)
            # Until the session can hear it (`Drain.install`): by default a drain while Python starts would be a crash.
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})

        self._process = subprocess.Popen(
            release.command(folder.resolve()),
            cwd=release.app,
            env=release.environment(environment),
            stdin=subprocess.DEVNULL,
            process_group=0,
            preexec_fn=die_with_the_daemon,  # noqa: PLW1509 - the daemon has one thread
        )
        self.pid = self._process.pid

    def ended(self) -> str | None:
        """Return how the process ended, in words; None while it runs."""
        code = self._process.poll()
        if code is None:
            return None
        self._end_orphans()
        return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"

    def terminate(self) -> None:
        """Ask it to drain."""
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()

    def kill(self) -> None:
        """End it and its group at once, and wait for it."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()
        self._end_orphans()

    def _end_orphans(self) -> None:
        """Kill what the session that is gone has left, and wait for it: a sandbox that was killed half made waits for
        ever, and with its session dead there is none who would end it.
        """
        # One that is killed may leave its own children.
        while orphans := _children() - self._others:
            for pid in orphans:
                with contextlib.suppress(ProcessLookupError, ChildProcessError):
                    os.kill(pid, signal.SIGKILL)
                    os.waitpid(pid, 0)


def _children() -> set[int]:
    try:
        listed = Path(f"/proc/self/task/{os.getpid()}/children").read_text("ascii")
    except OSError:  # a kernel without CONFIG_PROC_CHILDREN
        return set()
    return {int(pid) for pid in listed.split()}
