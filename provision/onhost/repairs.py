"""What brings a row of the table back on this host, by name; those of the release run when its folder is there."""

import fcntl
import shutil
import subprocess
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from provision.onhost import durable, found, reserve, swap, system, tree, units
from provision.onhost.errors import SystemStepFailed
from provision.onhost.events import Events

PASSWD = Path("/etc/passwd")
PASSWORD_LOCK = Path("/etc/.pwd.lock")
Repair = Mapping[str, Any]
"""One of the orders: {"repair", "name", "want", "give"}."""


class Given(NamedTuple):
    """What repairs need of the deploy: the login user, and the paths that have rows."""

    login: str
    ours: Collection[str]


def carry_out(ordered: Iterable[Repair], events: Events, given: Given) -> None:
    """Do repairs in their order, those of one kind together; each is a step of the deploy."""
    for kind, group in groupby(ordered, key=lambda repair: str(repair["repair"])):
        for text, do in REPAIRS[kind]([*group], given):
            with events.step(text):
                note = do()
            if note:
                events.emit(note=note)


def names(group: Iterable[Repair]) -> list[str]:
    """Return the names of repairs."""
    return [repair["name"] for repair in group]


Steps = Iterator[tuple[str, Callable[[], str | None]]]


def _install(group: list[Repair], _given: Given) -> Steps:
    yield "wait for the host's first boot", system.wait_until_ready
    yield f"install {', '.join(names(group))}", lambda: system.install(names(group))


def _write(group: list[Repair], given: Given) -> Steps:
    for repair in group:
        file = {"path": repair["name"], **repair["give"]}
        yield f"write {repair['name']}", lambda file=file: system.write(file, given.login)  # type: ignore[misc]
    # Once for all of them: it starts a dozen programs. A deploy that is cut off before finds units that need it.
    if any(repair["give"]["kind"] in system.OF_SYSTEMD for repair in group):
        yield "have systemd read its files again", partial(system.load, [["systemctl", "daemon-reload"]])


def _set_right(group: list[Repair], _given: Given) -> Steps:
    def do() -> None:
        for repair in group:
            mode, _, owner = repair["want"].partition(" ")
            path = Path(repair["name"])
            if not path.exists():
                path.mkdir(parents=True)
            shutil.chown(path, *owner.split(":"))
            path.chmod(int(mode, 8))

    yield f"set owner and mode of {', '.join(names(group))}", do


def _link(group: list[Repair], _given: Given) -> Steps:
    links = {repair["name"]: repair["want"] for repair in group}
    yield "make the links through the current release", lambda: tree.link_all(links)


def _join(group: list[Repair], given: Given) -> Steps:
    yield f"add {given.login} to {', '.join(names(group))}", lambda: join(given.login, names(group))


def _account(group: list[Repair], _given: Given) -> Steps:
    """Where there is none, the release's sysusers.d has just made it."""
    for repair in group:
        yield f"set the user {repair['name']} right", partial(_set_account, repair["name"], repair["want"])


def _set_account(name: str, want: Mapping[str, Any]) -> None:
    others = ",".join(group for group in want["groups"] if group != name)
    run(["usermod", "--shell", f"/usr/sbin/{want['shell']}", "--lock", "--groups", others, name])
    # usermod gives no other home to a user whose program runs.
    with PASSWORD_LOCK.open("w") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)
        lines = [_with_home(line, name, want["home"]) for line in PASSWD.read_text(encoding="utf-8").splitlines()]
        durable.write(PASSWD, ("\n".join(lines) + "\n").encode(), 0o644)


def _with_home(line: str, name: str, home: str) -> str:
    fields = line.split(":")
    return ":".join([*fields[:5], home, fields[6]]) if fields[0] == name else line


def _own(group: list[Repair], _given: Given) -> Steps:
    for repair in group:
        user, folder = repair["name"].split(" ", 1)
        yield f"give {folder} to {user} only", partial(_give, folder, user)


def _give(folder: str, user: str) -> None:
    run(["chown", "--recursive", "--no-dereference", user, folder])
    run(["chmod", "--recursive", "go-rwx", folder])


def _unit(group: list[Repair], given: Given) -> Steps:
    yield f"have systemd read {', '.join(names(group))} anew", partial(_read_anew, names(group), given.ours)
    for repair in group:
        if verbs := [*_verbs(repair["want"])]:
            yield f"{' and '.join(verbs)} {repair['name']}", partial(_carry_out, verbs, repair["name"])


def _read_anew(unit_names: list[str], ours: Collection[str]) -> str | None:
    """Have systemd read units by their own files only, once for all of them: it starts a dozen programs."""
    shown = units.shown_all(unit_names, ["DropInPaths"])
    paths = [Path(path) for state in shown.values() for path in state["DropInPaths"].split() if path not in ours]
    moved = [*filter(None, map(_moved_aside, paths))]
    units.reload()
    return f"moved aside: {', '.join(moved)}" if moved else None


def _verbs(want: Mapping[str, Any]) -> Iterator[str]:
    """What is asked of systemd for a unit, in this order."""
    if "ActiveState" in want:
        yield "unmask"
    if want.get("UnitFileState") == "enabled" and "FragmentPath" not in want:
        yield "enable"
    if "ActiveState" in want:
        yield "start"


def _carry_out(verbs: list[str], unit: str) -> None:
    for verb in verbs:
        system.systemctl(verb, unit)


def _moved_aside(path: Path) -> str | None:
    """Rename a drop-in so that systemd does not read it; what a package brought stays."""
    if path.is_relative_to("/usr/lib") or not path.exists():
        return None
    aside = durable.free_name(path)
    path.rename(aside)
    return str(aside)


def _reload(group: list[Repair], _given: Given) -> Steps:
    for repair in group:
        yield (
            f"make {repair['name']} read its files again",
            partial(system.load, repair["give"]["commands"]),
        )


def _record(group: list[Repair], given: Given) -> Steps:
    rows = [(repair["give"]["look"], repair["name"]) for repair in group]
    yield "record what else is on this host", partial(found.keep, rows, given.ours)


def join(user: str, groups: Iterable[str]) -> None:
    """Put the login user into groups, from its next login on."""
    run(["usermod", "-aG", ",".join(groups), user])


def _reserve(group: list[Repair], _given: Given) -> Steps:
    for repair in group:
        path = repair["name"]
        yield f"keep room on the disk of {path} for the queue", lambda path=path: reserve.keep(path)  # type: ignore[misc]


def _swap(group: list[Repair], _given: Given) -> Steps:
    for repair in group:
        yield f"make the swap file {repair['name']} of {swap.SIZE >> 20} MB", partial(swap.make, repair["name"])


def accounts(release: Path) -> None:
    """Make users and folders as the release says; what is there already stays, with its modes set right."""
    run(["systemd-sysusers", str(release / "etc/sysusers.d/jada.conf")])
    run(["systemd-tmpfiles", "--create", str(release / "etc/tmpfiles.d/jada.conf")])


def run(command: list[str]) -> None:
    """Run a program of the system's; raises `SystemStepFailed` with what it said."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemStepFailed(f"{' '.join(command)}: {done.stderr.strip()}")


REPAIRS: dict[str, Callable[[list[Repair], Given], Steps]] = {
    "install": _install,
    "write": _write,
    "set right": _set_right,
    "join": _join,
    "link": _link,
    "reserve": _reserve,
    "swap": _swap,
    "account": _account,
    "own": _own,
    "unit": _unit,
    "reload": _reload,
    "record": _record,
}
