"""The one table of what a host should be, as data: probe, plan, deploy and verify all read it.

Each row says what is looked at, what is seen there when all is well, and what happens where it is not: the deploy
brings it back by a repair, or the operator is told a cure. What a release consists of is in its own manifest.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from provision.onhost import reserve
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
    "/var/lib/jada-agent": ("0700", "jada"),
    "/var/lib/jada-backup": ("0755", "root"),
    "/var/lib/jada-dashboard": ("0700", "jada-dashboard"),
    "/var/lib/jada-notify": ("0700", "jada-notify"),
    "/var/lib/jada-sync": ("0700", "jada-sync"),
    FOLDER: ("0700", "root"),
}
"""Folder → mode and owner, as the release's tmpfiles.d says; each secret in the last one is 0600 and root's."""
GROUPS = ("jada-queue", "jada-operators")
"""Groups of the login user: to open the queue's sockets, and to be an operator there."""
RECOVERY = "jada-recover.service"
"""What brings a host back at boot to the last proven release: with its program it is outside of all releases."""
RESERVE = "jada-reserve.service"
"""What keeps room on the disk for the queue after each boot."""
A_FOLDER = "a folder"
"""What is seen of a link where a folder of somebody's is in its way."""


@dataclass(frozen=True, slots=True)
class Row:
    """One thing of a host: what the look of that kind (`onhost/looks.py`) sees of `name` when all is well.

    Where it sees something else a deploy does the `repair` (`onhost/repairs.py`), which needs `give` besides; without
    one the `cure` says what the operator does. Rows with a `release` go with it; the others are the system's, applied
    before a release and never taken back. `or_absent`: what is not there is no difference.
    """

    look: str
    name: str
    want: Any
    repair: str | None = None
    cure: str = ""
    give: Any = None
    release: bool = False
    or_absent: bool = False

    @property
    def id(self) -> str:
        """What the row is called, in verdicts and for programs."""
        return f"{self.look} {self.name}"


@dataclass(frozen=True, slots=True)
class Difference:
    """A row, and what was seen in place of what it wants."""

    row: Row
    found: Any


def table(blueprint: str, more: Iterable[str] = ()) -> tuple[Row, ...]:
    """Return the rows of a host, in the order in which a deploy brings them back; `more` are packages that settings ask
    for.

    Raises `CommandError` for a system that we don't know.
    """
    return (*(_package(name) for name in dict.fromkeys((*packages(blueprint), *more))), *common())


def common() -> tuple[Row, ...]:
    """Return the rows that every blueprint has."""
    return (*_files(), *_folders(), *_secrets(), *_memberships(), *_links(), *_reserve())


def of_any_blueprint(more: Iterable[str] = ()) -> tuple[Row, ...]:
    """Return the rows of all blueprints: what is looked at before it is known which system is met."""
    return (*map(_package, dict.fromkeys((*all_packages(), *more))), *common())


def looks(more: Iterable[str] = ()) -> dict[str, list[str]]:
    """Return what the probe is to look at: kind → names."""
    asked: dict[str, list[str]] = {}
    for row in of_any_blueprint(more):
        asked.setdefault(row.look, []).append(row.name)
    return asked


def differences(rows: Iterable[Row], found: Mapping[str, Mapping[str, Any]]) -> tuple[Difference, ...]:
    """Return the rows that are not as they should be."""
    return tuple(_differing(rows, found))


def _differing(rows: Iterable[Row], found: Mapping[str, Mapping[str, Any]]) -> Iterator[Difference]:
    for row in rows:
        seen = found.get(row.look, {}).get(row.name)
        if seen != row.want and not (row.or_absent and seen is None):
            yield Difference(row, seen)


def system_files() -> tuple[ConfigFile, ...]:
    """Return every file of the system's that a deploy brings."""
    unit = (FILES / RECOVERY).read_text(encoding="utf-8")
    at_boot = (FILES / RESERVE).read_text(encoding="utf-8")
    return (
        *config_files(),
        ConfigFile(f"{HOME}/recover.py", programs.standalone("recover"), "program"),
        ConfigFile(f"{SYSTEMD}/{RECOVERY}", unit, "boot unit"),
        ConfigFile(f"{HOME}/reserve.py", programs.standalone("reserve"), "program"),
        ConfigFile(f"{SYSTEMD}/{RESERVE}", at_boot, "boot unit"),
        *(ConfigFile(path, DROP_IN, "drop-in") for path in DROP_INS.values()),
    )


def file_row(file: ConfigFile) -> Row:
    """Return the row of a file of the system's; its kind says how it is tried and applied."""
    return Row("file", file.path, file.digest, "write", give={"content": file.content, "kind": file.kind})


def _package(name: str) -> Row:
    return Row("package", name, want=True, repair="install")


def _files() -> Iterator[Row]:
    yield from map(file_row, system_files())


def _folders() -> Iterator[Row]:
    for path, rights in FOLDERS.items():
        yield Row("rights", path, [*rights], "set right", release=True)


def _secrets() -> Iterator[Row]:
    for name in SECRETS:
        # Which ones are lacking is told with what each is for: `system.secrets.missing`.
        yield Row("rights", f"{FOLDER}/{name}", ["0600", "root"], "set right", release=True, or_absent=True)


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


def told(difference: Difference) -> str:
    """Say a difference in a line: what is there, what should be, and what helps."""
    row = difference.row
    cure = row.cure if row.repair is None else "`fab deploy` brings it back"
    return f"{row.id}: {difference.found}, and not {row.want}: {cure}"


def changes(differing: Iterable[Difference], login: str) -> Iterator[tuple[str, str]]:
    """Yield (action, what) for what a deploy brings back, a line for each kind of repair, or for each file."""
    by_repair: dict[str, list[Difference]] = {}
    for difference in differing:
        if difference.row.repair:
            by_repair.setdefault(difference.row.repair, []).append(difference)
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


SAID: Mapping[str, Callable[[list[Difference], str], Iterable[tuple[str, str]]]] = {
    "install": lambda group, _: [("install", _names(group))],
    "write": lambda group, _: [("write", difference.row.name) for difference in group],
    "set right": lambda group, _: [("set right", f"owner and mode of {_names(group)}")],
    "join": lambda group, login: [("add", f"{login} to {_names(group)}: an operator of the queue")],
    "link": _say_links,
    "reserve": lambda group, _: [("keep", f"room on the disk of {_names(group)} for the queue: {group[0].found}")],
}
"""Repair → how a plan says it."""
