"""What can be looked at on this host, by kind: each answers what it sees of each name. Changes nothing."""

import grp
import os
import subprocess
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from provision.onhost import reserve, whole


def see(asked: Mapping[str, list[str]]) -> dict[str, dict[str, Any]]:
    """Look at {kind: names}; answer {kind: {name: what is seen}}."""
    return {kind: LOOKS[kind](names) for kind, names in asked.items()}


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


def _digest(path: str) -> str | None:
    return whole.digest(Path(path))


def _link(path: str) -> str | None:
    link = Path(path)
    if link.is_symlink():
        return str(link.readlink())
    return "a folder" if link.is_dir() else None


def _rights(path: str) -> list[str] | None:
    """Mode and owner."""
    try:
        return [f"{Path(path).stat().st_mode & 0o7777:04o}", Path(path).owner()]
    except (OSError, KeyError):  # not there, or of no user of this host
        return None


def _membership(group: str) -> bool:
    login = login_user()
    try:
        return login in grp.getgrnam(group).gr_mem or not login
    except KeyError:
        return False


def output(command: list[str]) -> str:
    """Return what a command prints, whatever its exit code."""
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


LOOKS: dict[str, Callable[[list[str]], dict[str, Any]]] = {
    "package": _packages,
    "file": each(_digest),
    "link": each(_link),
    "rights": each(_rights),
    "login user's group": each(_membership),
    "disk reserve": each(reserve.see),
}
