"""Look at how a host has been: memory, load, disk, units, journal, secrets, updates, queue. Changes nothing.

Each part is {"seen": …} or {"unknown": why}: what could not be looked at is never told as well.
"""

import json
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from provision.onhost import durable, journal, readiness, secret_store

SECRETS = Path("/home/jada/secrets")
UNIT_PROPERTIES = ("ActiveState", "SubState", "NRestarts", "ActiveEnterTimestamp", "Result", "LoadState")
LISTS = Path("/var/lib/apt/lists")
PAGES = 20
"""Pages of 200 tasks that are read of the queue."""


class Unseen(Exception):
    """What is asked for could not be looked at; the text says why."""


def main(asked: dict[str, Any]) -> dict[str, Any]:
    """Answer what is asked: {"queue", "units", "hours", "token"}: the queue's address, unit names, how far back the
    journal is read, and the name of the secret whose age is wanted.
    """
    parts: dict[str, Callable[[], Any]] = {
        "host": _host,
        "memory": _memory,
        "disk": _disk,
        "units": lambda: {name: _unit(name) for name in asked["units"]},
        "failed": _failed_units,
        "journal": lambda: journal.errors(asked["units"], asked["hours"]),
        "secrets": _secrets,
        "token": lambda: _token(SECRETS / asked["token"]),
        "updates": _updates,
        "ready": lambda: _ready(asked["queue"]),
        "tasks": lambda: list(_tasks(asked["queue"])),
        "sync_runs": lambda: _answer(asked["queue"], "/v1/sync-runs"),
        "rates": lambda: _answer(asked["queue"], "/v1/rates"),
        "wellness": lambda: _answer(asked["queue"], "/v1/wellness"),
        "notifications": lambda: _answer(asked["queue"], "/v1/messages"),
    }
    return {name: _seen(look) for name, look in parts.items()}


def _seen(look: Callable[[], Any]) -> dict[str, Any]:
    try:
        return {"seen": look()}
    except Exception as error:  # noqa: BLE001 - one part that fails must not take the others with it
        return {"unknown": str(error) or type(error).__name__}


def _host() -> dict[str, Any]:
    return {
        "now": time.time(),
        "uptime_s": float(Path("/proc/uptime").read_text(encoding="ascii").split()[0]),
        "load": list(os.getloadavg()),
        "cpus": os.cpu_count() or 1,
        "reboot_required": Path("/run/reboot-required").exists(),
    }


def _memory() -> dict[str, int]:
    """Bytes of all memory, and of what programs could still have."""
    found = re.findall(r"^(\w+):\s+(\d+) kB$", Path("/proc/meminfo").read_text(encoding="ascii"), re.MULTILINE)
    sizes = {name: int(kilobytes) * 1024 for name, kilobytes in found}
    return _within_group({"total": sizes["MemTotal"], "available": sizes["MemAvailable"]})


def _within_group(machine: dict[str, int]) -> dict[str, int]:
    """The same where the host is a container with a limit of its own, which /proc/meminfo does not know."""
    v1, v2 = Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup")
    for limit, used, cache in (
        (v1 / "memory.limit_in_bytes", v1 / "memory.usage_in_bytes", "total_inactive_file"),
        (v2 / "memory.max", v2 / "memory.current", "inactive_file"),
    ):
        try:
            total, taken = int(limit.read_text(encoding="ascii")), int(used.read_text(encoding="ascii"))
            stat = (limit.parent / "memory.stat").read_text(encoding="ascii")
        except (OSError, ValueError):  # the root group has no limit; "max" is no number
            continue
        given_back = int(dict(line.split() for line in stat.splitlines()).get(cache, 0))
        if total < machine["total"]:
            return {"total": total, "available": max(0, total - taken + given_back)}
    return machine


def _disk() -> dict[str, float]:
    """Bytes and inodes of the root's file system, as root's programs and others may use them."""
    seen = os.statvfs("/")
    return {
        "total": seen.f_blocks * seen.f_frsize,
        # What users may have: the blocks reserved for root are not theirs.
        "free": seen.f_bavail * seen.f_frsize,
        "inodes": seen.f_files,
        "inodes_free": seen.f_favail,
    }


def _unit(name: str) -> dict[str, str]:
    shown = _output(["systemctl", "show", name, f"--property={','.join(UNIT_PROPERTIES)}"])
    return dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)


def _failed_units() -> list[str]:
    shown = _output(["systemctl", "list-units", "--state=failed", "--plain", "--no-legend", "--no-pager"])
    return [line.split()[0] for line in shown.splitlines() if line.strip()]


def _secrets() -> dict[str, Any]:
    """Mode and owner of the folder of secrets, and of each in it."""
    if not SECRETS.is_dir():
        raise Unseen(f"there is no {SECRETS}")
    return {str(path): _rights(path) for path in (SECRETS, *(SECRETS / name for name in secret_store.held(SECRETS)))}


def _rights(path: Path) -> list[str]:
    seen = path.lstat()
    try:
        owner = path.owner()
    except KeyError:
        owner = str(seen.st_uid)
    return [f"{seen.st_mode & 0o7777:04o}", owner]


def _token(path: Path) -> dict[str, Any]:
    """What kind of credential it is, and when it was put there; nothing of what is in it."""
    try:
        kind = json.loads(path.read_text(encoding="utf-8")).get("type", "authorized_user")
    except FileNotFoundError:
        raise Unseen(f"there is no secret {path.name}") from None
    except (ValueError, AttributeError):
        raise Unseen(f"the secret {path.name} is not JSON") from None
    return {"kind": str(kind)[:40], "since": path.stat().st_mtime}


def _updates() -> dict[str, Any]:
    """Packages that would be upgraded, by the lists that were fetched last."""
    fetched = fetched_at(LISTS)
    if fetched is None:
        raise Unseen("apt's lists were never fetched (apt-get update)")
    command = ["apt-get", "--simulate", "--quiet", "-o", "Debug::NoLocking=1", "dist-upgrade"]
    shown = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=_plain())
    if shown.returncode:
        raise Unseen(f"apt-get --simulate: {shown.stderr.strip()[-200:]}")
    upgraded = [line for line in shown.stdout.splitlines() if line.startswith("Inst ")]
    secure = [line.split()[1] for line in upgraded if re.search(r"[Ss]ecurity", line)]
    return {"pending": [line.split()[1] for line in upgraded], "security": secure, "fetched": fetched}


def fetched_at(lists: Path) -> float | None:
    """Return when apt's lists were fetched last; None for never. A fetch that is under way takes the old ones away."""
    found = map(durable.written_at, (*lists.glob("*_InRelease"), *lists.glob("*_Release")))
    return max((at / 1e9 for at in found if at is not None), default=None)


def _ready(queue: str) -> str:
    problem = readiness.queue_problem(queue)
    if problem:
        raise Unseen(problem)
    return "ready"


def _tasks(queue: str) -> Iterator[Any]:
    """All tasks that are not over, and what is needed to count them."""
    for state in ("queued", "running", "needs_you", "failed"):
        cursor: str | None = None
        for _ in range(PAGES):
            query = {"state": state, "limit": 200, **({"cursor": cursor} if cursor else {})}
            body, link = _asked(queue, f"/v1/tasks?{urlencode(query)}")
            for task in body["tasks"]:
                waiting = task.get("waiting") or {}
                yield {
                    "id": task["id"],
                    "title": task["title"],
                    "state": task["state"],
                    "since": waiting.get("since") or task.get("updated_at"),
                    "not_before": task.get("not_before"),
                    "waits_for": waiting.get("kind"),
                }
            found = re.search(r"[?&]cursor=([^&>]+)", link or "")
            cursor = found[1] if found else None
            if cursor is None:
                break


def _answer(queue: str, path: str) -> Any:
    return _asked(queue, path)[0]


def _asked(queue: str, path: str) -> tuple[Any, str | None]:
    status, body, link = readiness.ask(queue, path)
    if status == 404:
        raise Unseen(f"the release on this host has no {path}: `fab deploy` brings one that has")
    try:
        read = json.loads(body)
    except ValueError:
        raise Unseen(f"the queue's answer to {path} cannot be read") from None
    if status != 200:
        raise Unseen(f"the queue answered {status}: {read.get('detail') or read.get('title')}")
    return read, link


def _output(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=_plain())
    if done.returncode:
        raise Unseen(f"{command[0]}: {done.stderr.strip()[-200:] or f'ended with {done.returncode}'}")
    return done.stdout


def _plain() -> dict[str, str]:
    """Messages and dates in English, whatever the host speaks."""
    return {**os.environ, "LC_ALL": "C", "TZ": "UTC"}
