"""The control groups that bound hosts, on both layouts a machine can have.

`tmpfs` at /sys/fs/cgroup (version 1, hybrid): groups of ours, one in each hierarchy. `cgroup2fs` with systemd: a
transient unit for each host, because there systemd owns the tree. A group is a host's memory limit, the list of its
processes (which no id used again can confuse), the means to kill all of them at once.
"""

import contextlib
import fcntl
import functools
import os
import re
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from local.commands import run, succeeds
from local.process import wait_until

ROOT = Path("/sys/fs/cgroup")
NEEDED = ("memory", "pids", "cpu", "cpuacct")
"""The controllers a host's own systemd needs to enforce MemoryMax, TasksMax and CPU accounting (version 1)."""
_JOIN = 'for group in $1; do echo $$ >"$group/cgroup.procs" || exit 1; done; shift; exec "$@"'
_KEEP_CODE = 'code=$1; shift; "$@"; echo $? >"$code"'
_LOG = "console.log"


class Group(Protocol):
    """One host's control group."""

    def launch(self, command: Sequence[str], memory: int, folder: Path) -> None:
        """Start `command` inside, at most `memory` bytes; its output goes to `folder`/console.log."""

    def processes(self) -> list[int]:
        """Ids of all processes inside, its descendants' too."""

    def kill(self) -> None:
        """Kill everything inside at once and wait until it is gone."""

    def remove(self) -> None:
        """Take the empty group away."""

    def has_ended(self, folder: Path) -> bool:
        """Whether `command` is gone and its code noted, where that is known at all: its processes end before it."""

    def exit_code(self, folder: Path) -> int | None:
        """The code `command` ended with, if that is known."""

    def cpu_ns(self) -> int:
        """Nanoseconds of CPU that all inside have used."""


@functools.cache
def layout() -> str | None:
    """Which layout this machine has: v1, v2, or None when neither can bound a host. Asked each second for each host."""
    kind = run("stat", "--file-system", "--format=%T", str(ROOT)).strip() if ROOT.is_dir() else ""
    if kind == "cgroup2fs" and Path("/run/systemd/system").is_dir():
        return "v2"
    return "v1" if kind == "tmpfs" and all((ROOT / name).is_dir() for name in NEEDED) else None


def group(site: str, number: int) -> Group:
    """The group of host `number` of a site, on this machine's layout."""
    return Unit(f"{site}-h{number}") if layout() == "v2" else Hierarchies(f"{site}/h{number}")


def groups(site: str) -> list[Group]:
    """All groups of a site that exist."""
    if layout() == "v2":
        listed = run("systemctl", "list-units", "--all", "--plain", "--no-legend", f"{site}-h*.service")
        return [Unit(name) for name in re.findall(rf"^ *({re.escape(site)}-h\d+)\.service ", listed, re.MULTILINE)]
    names = {path.name for top in ROOT.glob(f"*/{site}") for path in top.iterdir() if path.is_dir()}
    return [Hierarchies(f"{site}/{name}") for name in sorted(names)]


@dataclass(frozen=True, slots=True)
class Hierarchies:
    """A group in each of version 1's hierarchies, all of the same name."""

    name: str

    def launch(self, command: Sequence[str], memory: int, folder: Path) -> None:
        """Start it; a shell outside the group waits for it, to note the code it ends with."""
        for path in self._paths():
            path.mkdir(parents=True, exist_ok=True)
        (ROOT / "memory" / self.name / "memory.limit_in_bytes").write_text(str(memory), encoding="ascii")
        joined = ["sh", "-c", _JOIN, "sh", " ".join(map(str, self._paths())), *command]
        code = folder / "exit"
        with (folder / _LOG).open("ab") as log:
            # Held by that shell, which has the file open, to its end. One that was just left without its command is
            # waited for: the code that it still has to note is not the new one's.
            fcntl.flock(log, fcntl.LOCK_EX)
            code.unlink(missing_ok=True)
            subprocess.Popen(
                ["sh", "-c", _KEEP_CODE, "sh", str(code), *joined],
                # A session of its own: Ctrl-C at the terminal must not reach a host, which outlives this program.
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/",
            )  # fmt: skip

    def processes(self) -> list[int]:
        """Ids of all processes inside."""
        return _processes(ROOT / "memory" / self.name)

    def kill(self) -> None:
        """Kill process by process until none is left: version 1 cannot kill all at once."""
        deadline = time.monotonic() + 20
        while (left := self.processes()) and time.monotonic() < deadline:
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.02)

    def remove(self) -> None:
        """Take the group and those inside it away, and the site's folder of groups with the last one."""
        for path in self._paths():
            # As in `_processes`: another may take groups away meanwhile.
            for folder, _, _ in os.walk(path, topdown=False):
                _remove(Path(folder))
            with contextlib.suppress(OSError):
                path.parent.rmdir()

    def has_ended(self, folder: Path) -> bool:
        """Whether the shell that notes its code is gone: what it holds can be had."""
        try:
            with (folder / _LOG).open("rb") as log:
                fcntl.flock(log, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return True
        except BlockingIOError:
            return False
        return True

    def exit_code(self, folder: Path) -> int | None:
        """The code noted at its end."""
        with contextlib.suppress(OSError, ValueError):
            return int((folder / "exit").read_text(encoding="ascii"))
        return None

    def cpu_ns(self) -> int:
        """Nanoseconds of CPU that all inside have used."""
        with contextlib.suppress(OSError, ValueError):
            return int((ROOT / "cpuacct" / self.name / "cpuacct.usage").read_text(encoding="ascii"))
        return 0

    def _paths(self) -> list[Path]:
        tops = [ROOT / name for name in (*NEEDED, "systemd", "unified") if (ROOT / name).is_dir()]
        return [top / self.name for top in tops]


@dataclass(frozen=True, slots=True)
class Unit:
    """A transient service of the machine's systemd (version 2)."""

    name: str

    def launch(self, command: Sequence[str], memory: int, folder: Path) -> None:
        """Start it as a unit that delegates its group."""
        self.remove()
        properties = (
            f"MemoryMax={memory}",
            # With swap a host would have more memory than its plan.
            "MemorySwapMax=0",
            "Delegate=yes",
            "TasksMax=infinity",
            # An ended unit keeps its exit code, which says whether the host powered itself off.
            "RemainAfterExit=yes",
        )
        output = f"append:{folder / _LOG}"
        run(
            *("systemd-run", "--quiet", f"--unit={self.name}"),
            *(f"--property={p}" for p in (*properties, f"StandardOutput={output}", f"StandardError={output}")),
            *command,
        )

    def processes(self) -> list[int]:
        """Ids of all processes inside."""
        return _processes(self._path())

    def kill(self) -> None:
        """Kill all at once."""
        with contextlib.suppress(OSError):
            (self._path() / "cgroup.kill").write_text("1", encoding="ascii")
        wait_until(lambda: not self.processes(), 20)

    def remove(self) -> None:
        """Make systemd forget the unit."""
        succeeds("systemctl", "stop", f"{self.name}.service")
        succeeds("systemctl", "reset-failed", f"{self.name}.service")

    def has_ended(self, folder: Path) -> bool:  # noqa: ARG002 - as for its code
        """Whether systemd knows of its end: after its last process."""
        shown = run("systemctl", "show", "--property=SubState", f"{self.name}.service")
        return shown.strip() in {"SubState=exited", "SubState=dead", "SubState=failed"}

    def exit_code(self, folder: Path) -> int | None:  # noqa: ARG002 - the other layout keeps it in a file
        """The code of its main process, as a shell would tell it: 128 and the signal for one that was killed."""
        shown = run("systemctl", "show", "--property=ExecMainCode,ExecMainStatus", f"{self.name}.service")
        values = dict(line.split("=", 1) for line in shown.splitlines())
        # 1 is CLD_EXITED, 2 and 3 are CLD_KILLED and CLD_DUMPED; 0 says that it still runs.
        base = {"1": 0, "2": 128, "3": 128}.get(values.get("ExecMainCode", "0"))
        return None if base is None else base + int(values["ExecMainStatus"])

    def cpu_ns(self) -> int:
        """Nanoseconds of CPU that all inside have used."""
        with contextlib.suppress(OSError, ValueError):
            stat = (self._path() / "cpu.stat").read_text(encoding="ascii")
            return 1000 * int(dict(line.split() for line in stat.splitlines())["usage_usec"])
        return 0

    def _path(self) -> Path:
        return ROOT / "system.slice" / f"{self.name}.service"


def _processes(path: Path) -> list[int]:
    found = []
    # A group may vanish while it is listed; os.walk passes over it, where a glob would raise.
    for folder, _, _ in os.walk(path):
        with contextlib.suppress(OSError):
            found += [int(line) for line in Path(folder, "cgroup.procs").read_text(encoding="ascii").split()]
    return found


def _remove(path: Path) -> None:
    """Remove one group; a process that was just killed may hold it for a moment longer."""

    def gone() -> bool:
        with contextlib.suppress(OSError):
            path.rmdir()
        return not path.exists()

    wait_until(gone, 5)
