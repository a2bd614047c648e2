"""Whether wheels are those that the lock names: by the hash of each, before anything of them runs, pip's own too."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

REQUIREMENTS = "requirements.txt"
PIP = "pip"


def hashes(requirements: str) -> dict[tuple[str, str], set[str]]:
    """Read a locked requirements file: (name, version) → SHA-256 of the files that may be installed for it."""
    found: dict[tuple[str, str], set[str]] = {}
    for line in requirements.replace("\\\n", " ").splitlines():
        if pinned := re.match(r"([A-Za-z0-9._-]+)==([^\s;]+)", line):
            digests = set(re.findall(r"--hash=sha256:([0-9a-f]{64})", line))
            found.setdefault((_plain(pinned[1]), pinned[2]), set()).update(digests)
    return found


def without(name: str, requirements: str) -> str:
    """Return a locked requirements file without one project."""
    lines = requirements.replace("\\\n", " ").splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith(f"{name}=="))


def strangers(files: Mapping[str, bytes], requirements: str) -> Iterator[str]:
    """Yield the names of files that the lock does not name, or names with another content."""
    allowed = hashes(requirements)
    for name, content in files.items():
        name_of, _, rest = name.partition("-")
        digests = allowed.get((_plain(name_of), rest.partition("-")[0]), ())
        if not name.endswith(".whl") or hashlib.sha256(content).hexdigest() not in digests:
            yield name


def contents(folder: Path) -> dict[str, bytes]:
    """Read all files of a wheelhouse but its list."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.name != REQUIREMENTS}


def _plain(name: str) -> str:
    """A project's name as its wheels spell it."""
    return re.sub(r"[-_.]+", "_", name).lower()
