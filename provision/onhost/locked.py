"""Whether wheels are those that the lock names: by the hash of each, before anything of them runs."""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

REQUIREMENTS = "requirements.txt"


def hashes(requirements: str) -> dict[tuple[str, str], set[str]]:
    """Read a locked requirements file: (name, version) → SHA-256 of the files that may be installed for it."""
    found: dict[tuple[str, str], set[str]] = {}
    for line in requirements.replace("\\\n", " ").splitlines():
        if pinned := re.match(r"([A-Za-z0-9._-]+)==([^\s;]+)", line):
            digests = set(re.findall(r"--hash=sha256:([0-9a-f]{64})", line))
            found.setdefault((_plain(pinned[1]), pinned[2]), set()).update(digests)
    return found


def strangers(files: Mapping[str, bytes], requirements: str) -> Iterator[str]:
    """Yield the names of files that the lock does not name, or names with another content."""
    allowed = hashes(requirements)
    for name, content in files.items():
        digests = allowed.get(_project(name), ())
        if not name.endswith(".whl") or hashlib.sha256(content).hexdigest() not in digests:
            yield name


def lacking(files: Iterable[str], requirements: str) -> Iterator[str]:
    """Yield the projects that have no wheel; one that the lock has on a condition, such as a system, may have none."""
    there = {_project(name) for name in files}
    always = "\n".join(line for line in requirements.replace("\\\n", " ").splitlines() if ";" not in line)
    yield from (f"{name} {version}" for name, version in hashes(always) if (name, version) not in there)


def _project(wheel: str) -> tuple[str, str]:
    """Name and version, by the name of the file."""
    name, _, rest = wheel.partition("-")
    return _plain(name), rest.partition("-")[0]


def contents(folder: Path) -> dict[str, bytes]:
    """Read all files of a wheelhouse but its list."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.name != REQUIREMENTS}


def _plain(name: str) -> str:
    """A project's name as its wheels spell it."""
    return re.sub(r"[-_.]+", "_", name).lower()
