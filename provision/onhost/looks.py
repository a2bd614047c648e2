"""What can be looked at on this host, by kind: each answers what it sees of each name. Changes nothing."""

import grp
import os
import pwd
import re
import stat
import subprocess
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import Any

from provision.onhost import reserve, sshd, surroundings, swap, units, whole

UNIT = ("LoadState", "ActiveState", "UnitFileState", "FragmentPath", "DropInPaths", "NeedDaemonReload")
CONFIGURED = {
    "ssh.service": ("/etc/ssh/sshd_config", "/etc/ssh/sshd_config.d"),
    "systemd-journald.service": ("/etc/systemd/journald.conf", "/etc/systemd/journald.conf.d"),
}
"""Daemon → what it reads when it starts or is reloaded, and not when that changes."""
PID_FILES = {"ssh.service": ("/run/sshd.pid",)}
"""Daemon → where it writes its process id once it has read its files, at its start and at each reload: systemd forgets
reloads when it reads its units anew, as deploys make it.
"""
STATE_NAMED = 20


def see(asked: Mapping[str, list[str]], ours: Collection[str]) -> dict[str, dict[str, Any]]:
    """Look at {kind: names}; answer {kind: {name: what is seen}}. `ours` are the paths that have rows."""
    settings = cache(partial(sshd.effective, sshd.ETC))
    looks: dict[str, Callable[[list[str]], dict[str, Any]]] = {
        **LOOKS,
        "sshd": partial(_sshd, settings=settings),
        "sshd still offers": partial(_sshd_offered, settings=settings),
        "strangers in": each(partial(_strangers, ours=ours)),
        "unit": partial(_unit, ours=ours),
    }
    return {kind: looks[kind](names) for kind, names in asked.items()}


def login_user() -> str:
    """Return who logged in and became root by sudo; root itself needs no group."""
    return os.environ.get("SUDO_USER", "")


def each(look: Callable[[str], Any]) -> Callable[[Iterable[str]], dict[str, Any]]:
    """Make a look at one name into one at several."""
    return lambda names: {name: look(name) for name in names}


def _packages(names: Iterable[str]) -> dict[str, bool]:
    shown = output(["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n", *names])
    installed = {line.split()[0] for line in shown.splitlines() if line.endswith(" installed")}
    return {name: name in installed for name in names}


def _file(path: str) -> dict[str, str] | str | None:
    """Content, mode and owner."""
    if Path(path).is_symlink():
        return "a link"
    digest = whole.digest(Path(path))
    return {"content": digest, "rights": _rights(path) or ""} if digest else None


def _link(path: str) -> str | None:
    link = Path(path)
    if link.is_symlink():
        return str(link.readlink())
    return "a folder" if link.is_dir() else None


def _rights(path: str) -> str | None:
    """Mode, owner and group."""
    try:
        return f"{Path(path).stat().st_mode & 0o7777:04o} {Path(path).owner()}:{Path(path).group()}"
    except (OSError, KeyError):  # not there, or of no user of this host
        return None


def _membership(group: str) -> bool:
    login = login_user()
    try:
        return login in grp.getgrnam(group).gr_mem or not login
    except KeyError:
        return False


def _account(name: str) -> dict[str, Any] | None:
    """How one of our users is: it has a home and groups, and no one can log in as it."""
    try:
        user = pwd.getpwnam(name)
    except KeyError:
        return None
    return {
        "home": user.pw_dir,
        "shell": Path(user.pw_shell).name,
        "password": "locked" if surroundings.is_locked(surroundings.passwords().get(name, "")) else "there is one",
        "groups": sorted({grp.getgrgid(user.pw_gid).gr_name, *surroundings.groups(name)}),
    }


def _state(name: str) -> list[str]:
    """What in `USER FOLDER` is not the user's, or is open to others; workspaces are deeper, and not looked at."""
    user, folder = name.split(" ", 1)
    try:
        uid = pwd.getpwnam(user).pw_uid
    except KeyError:
        return []
    return sorted(path for path, seen in _beneath(folder, 3) if _is_loose(seen, uid))[:STATE_NAMED]


def _is_loose(seen: os.stat_result, uid: int) -> bool:
    return not stat.S_ISLNK(seen.st_mode) and (seen.st_uid != uid or bool(seen.st_mode & 0o077))


def _beneath(folder: str, depth: int) -> Iterator[tuple[str, os.stat_result]]:
    try:
        entries = [*os.scandir(folder)]
    except OSError:
        return
    for entry in entries:
        with suppress(OSError):  # gone since
            seen = entry.stat(follow_symlinks=False)
            yield entry.path, seen
            if depth > 1 and stat.S_ISDIR(seen.st_mode):
                yield from _beneath(entry.path, depth - 1)


def _unit(names: Iterable[str], ours: Collection[str]) -> dict[str, dict[str, Any]]:
    """How systemd has units in force, with the drop-ins of a hand: neither ours nor what packages have in /usr/lib."""
    shown = units.shown_all(names, UNIT)
    for state in shown.values():
        paths = state["DropInPaths"].split()
        state["DropInPaths"] = [path for path in paths if path not in ours and not path.startswith("/usr/lib/")]
    return shown


def _sshd(names: Iterable[str], settings: Callable[[], dict[str, str]]) -> dict[str, str | None]:
    return {name: settings().get(name) for name in names}


def _sshd_offered(names: Iterable[str], settings: Callable[[], dict[str, str]]) -> dict[str, list[str]]:
    return {name: sshd.still_offered(name, settings()) for name in names}


def _journald(names: Iterable[str]) -> dict[str, str | None]:
    """What counts of all files that journald reads: the last line of each setting."""
    lines = output(["systemd-analyze", "cat-config", "systemd/journald.conf"]).splitlines()
    said = dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    return {name: said.get(name) for name in names}


def _in_force(names: Iterable[str]) -> dict[str, bool]:
    """Whether daemons have read their files since these last changed."""
    states = units.shown_all(names, ("ExecMainStartTimestamp", "MainPID"), exact=True)
    return {unit: _has_read(unit, state) for unit, state in states.items()}


def _has_read(unit: str, state: Mapping[str, str]) -> bool:
    pid = state["MainPID"] or "0"
    read = max([_started(state), *(_written(path, pid) for path in PID_FILES.get(unit, ()))])
    return read >= _changed(CONFIGURED[unit])


def _changed(paths: Iterable[str]) -> float:
    """When files last changed; without those that go at this moment: a deploy writes one beside the one it replaces."""
    latest = 0.0
    for path in _configuration(paths):
        with suppress(FileNotFoundError):
            # Not the time that a file shows: that one can be set back.
            latest = max(latest, path.lstat().st_ctime)
    return latest


def _started(state: Mapping[str, str]) -> float:
    shown = state.get("ExecMainStartTimestamp")
    if not shown:
        return 0.0
    # As `Sun 2026-11-29 22:01:26.412265 UTC`: of strptime, only to load it takes longer than the look.
    _, day, clock, _ = shown.split()
    return datetime.fromisoformat(f"{day} {clock}").replace(tzinfo=UTC).timestamp()


def _written(path: str, pid: str) -> float:
    """When the daemon that runs wrote its process id; another process that wrote its own there says nothing of it."""
    with suppress(OSError, ValueError):
        if Path(path).read_text(encoding="ascii").strip() == pid:
            return Path(path).stat().st_ctime
    return 0.0


def _configuration(paths: Iterable[str]) -> Iterator[Path]:
    for path in map(Path, paths):
        if path.exists():
            yield path
        if path.is_dir():
            yield from path.glob("*")


def _offers(address: str) -> str | None:
    """How the sshd that runs lets users in: only it knows, whatever its files say."""
    options = {
        "BatchMode": "yes",
        "ConnectTimeout": "5",
        "PreferredAuthentications": "none",
        "StrictHostKeyChecking": "no",
        "UserKnownHostsFile": "/dev/null",
    }
    words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    # As a user who cannot log in: the refusal names what would have been taken. -F: none of this host's own settings.
    command = ["ssh", "-F", "/dev/null", *words, f"nobody@{address}", "true"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return None
    found = re.search(r"Permission denied \(([^)]*)\)", done.stderr)
    return found[1] if found else "nothing"


def _strangers(folder: str, ours: Collection[str]) -> list[str]:
    """What is in a folder and has no row."""
    try:
        return sorted(path for name in os.listdir(folder) if (path := f"{folder}/{name}") not in ours)  # noqa: PTH208
    except OSError:
        return []


def output(command: list[str]) -> str:
    """Return what a command prints, whatever its exit code; nothing where there is no such program."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout
    except FileNotFoundError:
        return ""


LOOKS: dict[str, Callable[[list[str]], dict[str, Any]]] = {
    "package": _packages,
    "file": each(_file),
    "link": each(_link),
    "rights": each(_rights),
    "login user's group": each(_membership),
    "disk reserve": each(reserve.see),
    "swap file": each(swap.see),
    "account": each(_account),
    "state": each(_state),
    "journald": _journald,
    "in force": _in_force,
    "sshd offers": each(_offers),
}
