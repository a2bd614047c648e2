"""What brings a row of the table back on this host, by name; those of the release run when its folder is there."""

import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

from provision.onhost import reserve, system, tree
from provision.onhost.errors import SystemStepFailed
from provision.onhost.events import Events

Repair = Mapping[str, Any]
"""One of the orders: {"repair", "name", "want", "give"}."""


def carry_out(ordered: Iterable[Repair], events: Events, login: str) -> None:
    """Do repairs in their order, those of one kind together; each is a step of the deploy."""
    for kind, group in groupby(ordered, key=lambda repair: str(repair["repair"])):
        for text, do in REPAIRS[kind]([*group], login):
            with events.step(text):
                do()


def names(group: Iterable[Repair]) -> list[str]:
    """Return the names of repairs."""
    return [repair["name"] for repair in group]


Steps = Iterator[tuple[str, Callable[[], None]]]


def _install(group: list[Repair], _login: str) -> Steps:
    yield "wait for the host's first boot", system.wait_until_ready
    yield f"install {', '.join(names(group))}", lambda: system.install(names(group))


def _write(group: list[Repair], _login: str) -> Steps:
    for repair in group:
        file = {"path": repair["name"], **repair["give"]}
        yield f"write {repair['name']}", lambda file=file: system.write(file)  # type: ignore[misc]


def _set_right(group: list[Repair], _login: str) -> Steps:
    def do() -> None:
        for repair in group:
            mode, owner = repair["want"]
            shutil.chown(repair["name"], owner)
            Path(repair["name"]).chmod(int(mode, 8))

    yield f"set owner and mode of {', '.join(names(group))}", do


def _link(group: list[Repair], _login: str) -> Steps:
    links = {repair["name"]: repair["want"] for repair in group}
    yield "make the links through the current release", lambda: tree.link_all(links)


def _join(group: list[Repair], login: str) -> Steps:
    yield f"add {login} to {', '.join(names(group))}", lambda: join(login, names(group))


def join(user: str, groups: Iterable[str]) -> None:
    """Put the login user into groups, from its next login on."""
    run(["usermod", "-aG", ",".join(groups), user])


def _reserve(group: list[Repair], _login: str) -> Steps:
    for repair in group:
        path = repair["name"]
        yield f"keep room on the disk of {path} for the queue", lambda path=path: reserve.keep(path)  # type: ignore[misc]


def accounts(release: Path) -> None:
    """Make users and folders as the release says; what is there already stays, with its modes set right."""
    run(["systemd-sysusers", str(release / "etc/sysusers.d/jada.conf")])
    run(["systemd-tmpfiles", "--create", str(release / "etc/tmpfiles.d/jada.conf")])


def run(command: list[str]) -> None:
    """Run a program of the system's; raises `SystemStepFailed` with what it said."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemStepFailed(f"{' '.join(command)}: {done.stderr.strip()}")


REPAIRS: dict[str, Callable[[list[Repair], str], Steps]] = {
    "install": _install,
    "write": _write,
    "set right": _set_right,
    "join": _join,
    "link": _link,
    "reserve": _reserve,
}
