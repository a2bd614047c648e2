"""Look at what on this host is not ours: areas of the file system, accounts, programs with a user's rights.

Each look answers {what: how it is}, so that two of them can be compared. A file that is as its package brought it says
so in place of its digest: an upgrade of that package is no change by hand.
"""

import fnmatch
import grp
import hashlib
import hmac
import os
import pwd
import re
import stat
import subprocess
from collections.abc import Callable, Collection, Iterator
from functools import cache
from pathlib import Path

from provision.onhost.areas import AREAS, MOVING

Seen = dict[str, str]
STATUS = Path("/var/lib/dpkg/status")
SECRETS = Path("/home/jada/secrets")
NOT_WALKED = ("/proc", "/sys", "/dev", "/run", "/tmp", "/var/tmp")  # noqa: S108 - named to be passed over
SHADOW = Path("/etc/shadow")


def area(name: str, ours: Collection[str]) -> Seen:
    """Describe all that is in an area, but for what has a row of its own."""
    others = (pattern for other, patterns in AREAS.items() if other != name for pattern in patterns)
    is_rest = name == [*AREAS][-1]
    skipped = _any_of((*MOVING, *(others if is_rest else ())))
    packaged = _as_packaged(STATUS.stat().st_mtime_ns) if STATUS.exists() else {}
    found = {path: _described(path, packaged) for root in _roots(name) for path in _walk(root, ours, skipped)}
    return {path: how for path, how in found.items() if how}


@cache
def _any_of(patterns: tuple[str, ...]) -> re.Pattern[str]:
    """One expression: on some 1,500 paths a pattern at a time takes ten times as long. Most areas have the same."""
    return re.compile("|".join(map(fnmatch.translate, patterns)))


def _roots(name: str) -> Iterator[str]:
    for pattern in AREAS[name]:
        if "*" in pattern:
            folder = pattern[: pattern.index("*")].rsplit("/", 1)[0]
            yield from (str(path) for path in sorted(Path(folder).glob(pattern[len(folder) + 1 :])))
        elif os.path.lexists(pattern):
            yield pattern


def _walk(path: str, ours: Collection[str], skipped: re.Pattern[str]) -> Iterator[str]:
    if path in ours or skipped.match(path):
        return
    yield path
    if os.path.isdir(path) and not os.path.islink(path):  # noqa: PTH112, PTH114 - 1,500 of them: no objects
        for name in _names(path):
            yield from _walk(f"{path}/{name}", ours, skipped)


def _names(folder: str) -> list[str]:
    """What is in a folder; nothing where it has just gone: packages, and systemd, take some away."""
    try:
        return sorted(os.listdir(folder))  # noqa: PTH208 - as above
    except (FileNotFoundError, NotADirectoryError):
        return []


def _described(path: str, packaged: dict[str, str]) -> str:
    """Mode, owner and content, in words that differ where one of them does; nothing for what has just gone."""
    try:
        seen = os.lstat(path)
        if stat.S_ISLNK(seen.st_mode):
            return f"link to {Path(path).readlink()}"
        rights = f"{stat.S_IMODE(seen.st_mode):04o} {_user(seen.st_uid)}:{_group(seen.st_gid)}"
        if stat.S_ISDIR(seen.st_mode):
            return f"{rights} folder"
        if not stat.S_ISREG(seen.st_mode):
            return f"{rights} {stat.filemode(seen.st_mode)[0]}"
        content = Path(path).read_bytes()
    except OSError:
        return ""
    if path in packaged and hashlib.md5(content, usedforsecurity=False).hexdigest() == packaged[path]:
        return f"{rights} as packaged"
    return f"{rights} {hashlib.sha256(content).hexdigest()[:16]}"


@cache
def _as_packaged(_written_ns: int) -> dict[str, str]:
    """Configuration files as their packages brought them: path → MD5, which is what dpkg keeps."""
    text = STATUS.read_text(encoding="utf-8", errors="replace")
    lines = (line.split() for line in text.splitlines() if line.startswith(" /etc/"))
    return {words[0]: words[1] for words in lines if len(words) >= 2}


@cache
def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


@cache
def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def accounts(_name: str, ours: Collection[str]) -> Seen:
    """Describe the users that are not ours: id, home, shell, groups, and a fingerprint of the password."""
    words = passwords()
    return {
        f"user {user.pw_name}": (
            f"{user.pw_uid}:{user.pw_gid} {user.pw_dir} {user.pw_shell} "
            f"{','.join(group for group in groups(user.pw_name) if f'group {group}' not in ours)} "
            f"{_password(words.get(user.pw_name, ''))}"
        )
        for user in pwd.getpwall()
        if f"user {user.pw_name}" not in ours
    }


def groups(user: str) -> list[str]:
    """Return the groups of a user, besides the one that its entry names."""
    return sorted(group.gr_name for group in grp.getgrall() if user in group.gr_mem)


def passwords() -> dict[str, str]:
    """Return user → hashed password."""
    try:
        lines = SHADOW.read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    return {words[0]: words[1] for words in (line.split(":") for line in lines) if len(words) > 1}


def is_locked(hashed: str) -> bool:
    """Whether no password fits."""
    return hashed.startswith(("!", "*"))


def _password(hashed: str) -> str:
    if is_locked(hashed):
        return "locked"
    return f"password {fingerprint(hashed.encode())}" if hashed else "no password needed"


def fingerprint(content: bytes) -> str:
    """Return what tells one secret from another on this host, and is nothing elsewhere."""
    try:
        key = Path("/etc/machine-id").read_bytes()
    except OSError:
        key = b""
    return hmac.new(key, content, "sha256").hexdigest()[:12]


def secret(name: str, _ours: Collection[str]) -> Seen:
    """Say a secret's fingerprint."""
    path = SECRETS / name
    return {name: fingerprint(path.read_bytes())} if path.is_file() else {}


def swap(_name: str, ours: Collection[str]) -> Seen:
    """Say what memory is swapped to, besides the file that a deploy made."""
    lines = Path("/proc/swaps").read_text(encoding="utf-8").splitlines()[1:]
    return {words[0]: f"{words[1]} {words[2]}" for words in map(str.split, lines) if words[0] not in ours}


def held(_name: str, _ours: Collection[str]) -> Seen:
    """Say which packages are kept from being upgraded."""
    text = STATUS.read_text(encoding="utf-8", errors="replace") if STATUS.exists() else ""
    if "\nStatus: hold" not in text:
        return {}  # as nearly always: to read all of it takes as long as an area
    blocks = (dict(line.split(": ", 1) for line in block.splitlines() if ": " in line) for block in text.split("\n\n"))
    return {block["Package"]: "held" for block in blocks if block.get("Status", "").startswith("hold")}


def rights_of_others(_name: str, _ours: Collection[str]) -> Seen:
    """Find programs that run with another user's rights, and what everyone may write, on the root file system."""
    return dict(_with_rights("/", os.lstat("/").st_dev))


def _with_rights(folder: str, device: int) -> Iterator[tuple[str, str]]:
    try:
        entries = [*os.scandir(folder)]
    except OSError:
        return
    for entry in entries:
        try:
            seen = entry.stat(follow_symlinks=False)
        except OSError:
            continue
        if seen.st_dev != device or entry.path in NOT_WALKED:
            continue
        if how := _special(entry.path, seen):
            yield entry.path, how
        if stat.S_ISDIR(seen.st_mode):
            yield from _with_rights(entry.path, device)


def _special(path: str, seen: os.stat_result) -> str:
    mode, rights = seen.st_mode, f"{stat.S_IMODE(seen.st_mode):04o} {_user(seen.st_uid)}:{_group(seen.st_gid)}"
    if stat.S_ISREG(mode) and mode & 0o6000:
        return f"{rights} runs with its owner's rights"
    if mode & 0o002 and not mode & stat.S_ISVTX and (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        return f"{rights} may be written by everyone"
    if stat.S_ISREG(mode) and mode & 0o111:
        try:
            return f"{rights} has capabilities {os.getxattr(path, 'security.capability').hex()}"
        except OSError:
            return ""
    return ""


def packaged_files(_name: str, _ours: Collection[str]) -> Seen:
    """Find what is not as the packages brought it; configuration files have areas."""
    done = subprocess.run(["dpkg", "--verify"], capture_output=True, text=True, check=False)
    lines = [line.split(maxsplit=1) for line in done.stdout.splitlines()]
    return {words[1]: words[0] for words in lines if len(words) == 2 and words[1].startswith("/")}


SURROUNDINGS: dict[str, Callable[[str, Collection[str]], Seen]] = {
    "area": area,
    "accounts": accounts,
    "secret": secret,
    "swap": swap,
    "held packages": held,
    "rights of others": rights_of_others,
    "packaged files": packaged_files,
}
"""Looks whose rows want what was found when the host was deployed first."""
