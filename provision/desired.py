"""The one table of what a host should be, as data: probe, plan, deploy and verify all read it.

Each row says what is looked at, what is seen there when all is well, and what happens where it is not: the deploy
brings it back by a repair, or the operator is told a cure. What a release consists of is in its own manifest.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from provision.onhost import reserve, swap
from provision.onhost.areas import AREAS
from provision.onhost.pauses import DROP_IN, DROP_INS
from provision.reach import programs
from provision.system.desired import FILES, ConfigFile, all_packages, config_files, packages
from provision.system.secrets import FOLDER, SECRETS
from provision.system.units import SERVICES, TEMPLATES, UNITS

HOME = "/opt/jada-agent"
SYSTEMD = "/etc/systemd/system"
LINKS = {
    f"{HOME}/scripts": "current/scripts",
    "/etc/jada": f"{HOME}/current/etc",
    "/etc/cron.d/port-sheet-sync": f"{HOME}/current/etc/port-sheet-sync",
    "/etc/cron.d/jada-backup": f"{HOME}/current/etc/jada-backup",
    "/etc/sysusers.d/jada.conf": f"{HOME}/current/etc/sysusers.d/jada.conf",
    "/etc/tmpfiles.d/jada.conf": f"{HOME}/current/etc/tmpfiles.d/jada.conf",
    **{f"{SYSTEMD}/{unit}": f"{HOME}/current/units/{unit}" for unit in (*UNITS, *TEMPLATES)},
    **{f"{SYSTEMD}/multi-user.target.wants/{unit}": f"{HOME}/current/units/{unit}" for unit in SERVICES},
}
"""Link → target. All lead through `current`, so that its one rename switches everything. Those in `wants` start a
service at boot; `systemctl enable` would lead them into the release of that day.
"""
FOLDERS = {
    "/var/lib/jada-agent": "0700 jada:jada",
    "/var/lib/jada-backup": "0755 root:root",
    "/var/lib/jada-dashboard": "0700 jada-dashboard:jada-dashboard",
    "/var/lib/jada-notify": "0700 jada-notify:jada-notify",
    "/var/lib/jada-sync": "0700 jada-sync:jada-sync",
    "/home/jada": "0755 root:root",
    FOLDER: "0700 root:root",
}
"""Folder → mode, owner and group, as the release's tmpfiles.d says; each secret in the last one is 0600 and root's."""
MADE = {
    HOME: "0755 root:root",
    f"{HOME}/releases": "0755 root:root",
    f"{HOME}/venvs": "0755 root:root",
    f"{HOME}/deploys": "0700 root:root",
}
"""Folders that a deploy makes on its way."""
USERS = {
    "jada": ("/var/lib/jada-agent", ("jada", "jada-queue")),
    "jada-dashboard": ("/var/lib/jada-dashboard", ("jada-dashboard",)),
    "jada-notify": ("/var/lib/jada-notify", ("jada-notify", "jada-queue")),
    "jada-sync": ("/var/lib/jada-sync", ("jada-queue", "jada-sync")),
}
"""User of a program → its home and groups, as the release's sysusers.d says; none can log in."""
GROUPS = ("jada-queue", "jada-operators")
"""Groups of the login user: to open the queue's sockets, and to be an operator there."""
RECOVERY = "jada-recover.service"
"""What brings a host back at boot to the last proven release: with its program it is outside of all releases."""
RESERVE = "jada-reserve.service"
"""What keeps room on the disk for the queue after each boot."""
SWAP = "jada-swap.service"
"""What swaps to the file again after each boot."""
BOOT_UNITS = (RECOVERY, RESERVE, SWAP)
NAMED = 6
"""How many things of a row are named in a line."""
A_FOLDER = "a folder"
"""What is seen of a link where a folder of somebody's is in its way."""


@dataclass(frozen=True, slots=True)
class Row:
    """One thing of a host: what the look of that kind (`onhost/looks.py`) sees of `name` when all is well.

    Where it sees something else a deploy does the `repair` (`onhost/repairs.py`), which needs `give` besides; without
    one the `cure` says what the operator does. Rows of a `release` go with it; the others are the system's, applied
    before a release and never taken back. Of a `want` that has several keys what is seen may have more. `or_absent`:
    what is not there is no difference. `settled_by` is the id of a row whose repair brings this one back too; while
    rows of the look `waits_for` need the operator, this one is not repaired. `deep` looks take seconds, and are for
    `fab verify` only.

    A row that is `as_found` wants what was there when the host was deployed first (`onhost/found.py`): what is seen of
    it is how it differs from that.
    """

    look: str
    name: str
    want: Any
    repair: str | None = None
    cure: str = ""
    give: Any = None
    release: bool = False
    or_absent: bool = False
    settled_by: str = ""
    waits_for: str = ""
    deep: bool = False
    as_found: bool = False

    @property
    def id(self) -> str:
        """What the row is called, in verdicts and for programs."""
        return f"{self.look} {self.name}"


@dataclass(frozen=True, slots=True)
class Difference:
    """A row, and what was seen in place of what it wants."""

    row: Row
    found: Any
    settled: bool = False
    waits: bool = False

    @property
    def repair(self) -> str | None:
        """What a deploy does about it by itself: what was never recorded is recorded."""
        if self.settled or self.waits:
            return None
        return "record" if self.row.as_found and self.found is None else self.row.repair

    @property
    def comes_back(self) -> bool:
        """Whether a deploy brings it back."""
        return bool(self.repair) or self.settled


def table(blueprint: str, more: Iterable[str] = ()) -> tuple[Row, ...]:
    """Return the rows of a host, in the order in which a deploy brings them back; `more` are packages that settings ask
    for.

    Raises `CommandError` for a system that we don't know.
    """
    return (*(_package(name) for name in dict.fromkeys((*packages(blueprint), *more))), *common())


def common() -> tuple[Row, ...]:
    """Return the rows that every blueprint has."""
    return (*_system(), *_release(), *_surroundings())


def _system() -> Iterator[Row]:
    yield from map(file_row, system_files())
    yield from _swap()
    yield from _sshd_in_force()
    yield from _journald_in_force()
    yield from _units_of_the_system()


def _release() -> Iterator[Row]:
    yield from _folders()
    yield from _secrets()
    yield from _accounts()
    yield from _memberships()
    yield from _links()
    yield from _reserve()
    yield from _units()
    yield from _state()


def of_any_blueprint(more: Iterable[str] = ()) -> tuple[Row, ...]:
    """Return the rows of all blueprints: what is looked at before it is known which system is met."""
    return (*map(_package, dict.fromkeys((*all_packages(), *more))), *common())


def request(more: Iterable[str] = (), *, deep: bool = False) -> dict[str, Any]:
    """Return what the probe is to look at: kind → names, and what has rows of its own."""
    rows = of_any_blueprint(more)
    return {
        "looks": _by_look(row for row in rows if not row.as_found and (deep or not row.deep)),
        "as_found": _by_look(row for row in rows if row.as_found),
        "unseen": [] if deep else sorted({row.look for row in rows if row.deep}),
        "ours": [*ours()],
    }


def _by_look(rows: Iterable[Row]) -> dict[str, list[str]]:
    asked: dict[str, list[str]] = {}
    for row in rows:
        asked.setdefault(row.look, []).append(row.name)
    return asked


def ours() -> Iterator[str]:
    """Yield what has a row of its own, and so is no stranger among the host's surroundings."""
    yield from LINKS
    yield from (file.path for file in system_files())
    yield from (f"{SYSTEMD}/multi-user.target.wants/{unit}" for unit in BOOT_UNITS)
    yield swap.FILE
    yield from (f"{FOLDER}/{name}" for name in SECRETS)
    yield from (f"user {name}" for name in USERS)
    yield from (f"group {name}" for name in GROUPS)


def differences(rows: Iterable[Row], found: Mapping[str, Mapping[str, Any]]) -> tuple[Difference, ...]:
    """Return the rows that are not as they should be, of those that were looked at."""
    differing = [Difference(row, found[row.look].get(row.name)) for row in rows if row.look in found]
    differing = [each for each in differing if not _is_as_wanted(each.row, each.found)]
    broken = {each.row.id for each in differing}
    settled = [replace(each, settled=each.row.settled_by in broken) for each in differing]
    for_operator = {each.row.look for each in settled if not each.comes_back}
    return tuple(replace(each, waits=each.row.waits_for in for_operator) for each in settled)


def _is_as_wanted(row: Row, found: Any) -> bool:
    if found is None:
        return row.or_absent
    if isinstance(row.want, dict) and isinstance(found, dict) and not row.as_found:
        return all(found.get(key) == value for key, value in row.want.items())
    return bool(found == row.want)


def system_files() -> tuple[ConfigFile, ...]:
    """Return every file of the system's that a deploy brings."""
    return (
        *config_files(),
        *(
            ConfigFile(f"{HOME}/{name}.py", programs.standalone(name), "program")
            for name in ("recover", "reserve", "swap")
        ),
        *(ConfigFile(f"{SYSTEMD}/{unit}", (FILES / unit).read_text("utf-8"), "boot unit") for unit in BOOT_UNITS),
        *(ConfigFile(path, DROP_IN, "drop-in") for path in DROP_INS.values()),
    )


def file_row(file: ConfigFile) -> Row:
    """Return the row of a file of the system's; its kind says how it is tried and applied."""
    want = {"content": file.digest, "rights": f"{'0600' if file.kind == 'program' else '0644'} root:root"}
    return Row("file", file.path, want, "write", give={"content": file.content, "kind": file.kind})


def _settings(kind: str) -> tuple[str, dict[str, str]]:
    """The path of the file of that kind, and what it sets."""
    file = next(file for file in config_files() if file.kind == kind)
    lines = [line.replace("=", " ", 1).split(" ", 1) for line in file.content.splitlines() if line[:1].isalpha()]
    return f"file {file.path}", {words[0]: words[1] for words in lines}


def _swap() -> Iterator[Row]:
    why = "more than 2 GB of memory, other swap, no room for a file, or a kernel that takes none, as in a container"
    yield Row("swap file", swap.FILE, swap.IN_USE, "swap", why, or_absent=True)


def _sshd_in_force() -> Iterator[Row]:
    by, settings = _settings("sshd")
    wanted = {name.lower(): value for name, value in settings.items()}
    for name, value in wanted.items():
        cure = "another file of /etc/ssh sets it first (`grep -ri` there finds it): remove that line, then `fab deploy`"
        if value.startswith("-"):
            # A list from which this is taken out: each release of sshd has its own.
            yield Row("sshd still offers", f"{name} {value[1:]}", [], cure=cure, settled_by=by)
        else:
            yield Row("sshd", name, value, cure=cure, settled_by=by)
    # One that was not reloaded does what its files said before.
    # -t first: reloaded with a file that is wrong, sshd ends, and no one gets in any more.
    give = {"commands": [["sshd", "-t"], ["systemctl", "reload", "ssh"]]}
    cure = "reloaded now it would do what another file says: mend that first, then `fab deploy` reloads it"
    row = Row("in force", "ssh.service", want=True, repair="reload", give=give, cure=cure, settled_by=by)
    yield replace(row, waits_for="sshd")
    cure = "the sshd that runs does not do what its files say: `systemctl restart ssh` on the host"
    yield Row("sshd offers", "127.0.0.1", "publickey", cure=cure, or_absent=True, deep=True)


def _journald_in_force() -> Iterator[Row]:
    by, settings = _settings("journald")
    for name, value in settings.items():
        cure = "a later file of /etc/systemd/journald.conf.d sets it: remove that line, and restart systemd-journald"
        yield Row("journald", name, value, cure=cure, settled_by=by)
    give = {"commands": [["systemctl", "restart", "systemd-journald"], ["journalctl", "--flush"]]}
    yield Row("in force", "systemd-journald.service", want=True, repair="reload", give=give, settled_by=by)


def _units_of_the_system() -> Iterator[Row]:
    runs = {"LoadState": "loaded", "ActiveState": "active", "UnitFileState": "enabled", "DropInPaths": []}
    yield Row("unit", "cron.service", runs, "unit", settled_by="package cron")
    boots = {"LoadState": "loaded", "UnitFileState": "enabled", "DropInPaths": [], "NeedDaemonReload": "no"}
    for unit in BOOT_UNITS:
        yield Row("unit", unit, boots, "unit", settled_by=f"file {SYSTEMD}/{unit}")


def _package(name: str) -> Row:
    return Row("package", name, want=True, repair="install")


def _folders() -> Iterator[Row]:
    for path, rights in FOLDERS.items():
        yield Row("rights", path, rights, "set right", release=True)
    for path, rights in MADE.items():
        yield Row("rights", path, rights, "set right", release=True, or_absent=True)


def _secrets() -> Iterator[Row]:
    for name in SECRETS:
        # Which ones are lacking is told with what each is for: `system.secrets.missing`.
        yield Row("rights", f"{FOLDER}/{name}", "0600 root:root", "set right", release=True, or_absent=True)
    yield Row("strangers in", FOLDER, [], cure="no program reads it: remove it from that folder")


def _accounts() -> Iterator[Row]:
    for name, (home, groups) in USERS.items():
        want = {"home": home, "shell": "nologin", "password": "locked", "groups": [*groups]}
        yield Row("account", name, want, "account", release=True)


def _memberships() -> Iterator[Row]:
    for group in GROUPS:
        yield Row("login user's group", group, want=True, repair="join", release=True)


def _links() -> Iterator[Row]:
    for path, target in LINKS.items():
        yield Row("link", path, target, "link", release=True)


def _reserve() -> Iterator[Row]:
    # Absent where the file system keeps none for a group, as in a container.
    why = "this file system keeps no part of itself for a group, or its device can't be reached from here"
    yield Row("disk reserve", reserve.FOLDER, reserve.KEPT, "reserve", why, release=True, or_absent=True)


def _units() -> Iterator[Row]:
    for unit in UNITS:
        want = {"LoadState": "loaded", "FragmentPath": f"{SYSTEMD}/{unit}", "DropInPaths": [], "NeedDaemonReload": "no"}
        enabled = {"UnitFileState": "enabled"} if unit in SERVICES else {}
        yield Row("unit", unit, {**want, **enabled}, "unit", release=True)


def _state() -> Iterator[Row]:
    for name, (home, _) in USERS.items():
        yield Row("state", f"{name} {home}", [], "own", release=True)


def _surroundings() -> Iterator[Row]:
    accepted = "undo it, or take it for right with `fab accept`"
    for area in AREAS:
        yield _as_found("area", area, accepted)
    yield _as_found("accounts", "of others", accepted)
    for name in SECRETS:
        yield _as_found("secret", name, "`fab secrets` gives it again, and `fab accept` takes it for right as it is")
    yield _as_found("swap", "in use", accepted)
    yield _as_found("held packages", "by a hand", "`apt-mark unhold` lets them be upgraded again; or `fab accept`")
    yield _as_found("rights of others", "on the root file system", accepted, deep=True)
    reinstall = "`apt-get install --reinstall` the package that `dpkg -S` names; or `fab accept`"
    yield _as_found("packaged files", "of all packages", reinstall, deep=True)


def _as_found(look: str, name: str, cure: str, *, deep: bool = False) -> Row:
    return Row(look, name, {}, cure=cure, give={"look": look}, release=True, deep=deep, as_found=True)


def described(difference: Difference) -> str:
    """Say a difference in a line: what is there, what should be, and what helps."""
    row = difference.row
    helps = "`fab deploy` brings it back" if difference.comes_back else row.cure
    if difference.settled and row.cure:
        helps = f"`fab deploy` brings back the {row.settled_by}; where it is so even then: {row.cure}"
    return f"{row.id}: {seen_instead(difference)}; {helps}"


def seen_instead(difference: Difference) -> str:
    """Say what was seen, and what should have been."""
    row, found = difference.row, difference.found
    if row.as_found:
        return ", ".join(f"{what} {how}" for what, how in (found or {}).items()) or "it was never recorded"
    if isinstance(row.want, dict) and isinstance(found, dict):
        wrong = [(key, found.get(key), want) for key, want in row.want.items() if found.get(key) != want]
        return ", ".join(
            DIFFERS.get(key) or f"{key} is {_plain(seen)}, and not {_plain(want)}" for key, seen, want in wrong
        )
    if row.want == [] and isinstance(found, list):
        return _several(found)
    if row.want is True:
        return UNTRUE[row.look]
    if found is None:
        return "it is not there"
    return f"it is {_plain(found)}, and not {_plain(row.want)}"


def _several(said: list[str]) -> str:
    more = f", and {len(said) - NAMED} more" if len(said) > NAMED else ""
    return ", ".join(said[:NAMED]) + more


def _plain(value: Any) -> str:
    if value is None:
        return "not there"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return str(value)


def changes(differing: Iterable[Difference], login: str) -> Iterator[tuple[str, str]]:
    """Yield (action, what) for what a deploy brings back, a line for each kind of repair, or for each file."""
    by_repair: dict[str, list[Difference]] = {}
    for difference in differing:
        if difference.repair:
            by_repair.setdefault(difference.repair, []).append(difference)
    for repair, group in by_repair.items():
        yield from SAID[repair](group, login)


def _names(group: Iterable[Difference]) -> str:
    return ", ".join(difference.row.name for difference in group)


def _say_links(group: list[Difference], _login: str) -> Iterator[tuple[str, str]]:
    for difference in group:
        if difference.found == A_FOLDER:
            path = difference.row.name
            yield "move", f"the folder {path} aside, to {path}.moved-…: a link belongs there"
    yield "link", f"through the current release: {_names(group)}"


def _say_units(group: list[Difference], _login: str) -> Iterator[tuple[str, str]]:
    for difference in group:
        # One that systemd does not know yet comes with its link.
        if difference.found and difference.found.get("LoadState") != "not-found":
            yield "put back", f"{difference.row.name}: {seen_instead(difference)}"


DIFFERS = {"content": "its content differs"}
"""What is said in place of digests."""
UNTRUE = {
    "package": "it is not installed",
    "login user's group": "the login user is not in it",
    "in force": "it has not read its files since they changed",
}
"""Look → what is said where its answer is no."""
SAID: Mapping[str, Callable[[list[Difference], str], Iterable[tuple[str, str]]]] = {
    "install": lambda group, _: [("install", _names(group))],
    "write": lambda group, _: [("write", difference.row.name) for difference in group],
    "set right": lambda group, _: [("set right", f"owner and mode of {_names(group)}")],
    "join": lambda group, login: [("add", f"{login} to {_names(group)}: an operator of the queue")],
    "link": _say_links,
    "reserve": lambda group, _: [("keep", f"room on the disk of {_names(group)} for the queue: {group[0].found}")],
    "swap": lambda group, _: [
        ("make", f"a swap file {each.row.name} of {swap.SIZE >> 20} MB: {each.found}") for each in group
    ],
    "account": lambda group, _: [("set right", f"the user {each.row.name}: {seen_instead(each)}") for each in group],
    "own": lambda group, _: [("set right", f"owner and mode of {seen_instead(each)}") for each in group],
    "unit": _say_units,
    "reload": lambda group, _: [("reload", f"what {_names(group)} reads: it changed since")],
    "record": lambda _group, _: [("record", "what else is on the host, to tell later what a hand has changed")],
}
"""Repair → how a plan says it."""
