"""Putting a wheel into an environment: it is a zip, and whatever of it runs does so when a program of ours imports it.

What the lock names needs nothing else of an installer. pip needs more of a small host than all of this: from its own
wheel, it is compiled anew each time that it runs.
"""

import os
import sys
import zipfile
from pathlib import Path

from provision.onhost.errors import SystemStepFailed

PYTHON = sys.version_info[:2]


def place(wheel: Path, site: Path) -> None:
    """Unpack a wheel into an environment's folder of packages, without commands for a shell, which nothing here calls.

    Raises `SystemStepFailed` for one that is not for this host.
    """
    if not fits(wheel.name):
        raise SystemStepFailed(f"{wheel.name} is not for this host's Python {PYTHON[0]}.{PYTHON[1]}")
    with zipfile.ZipFile(wheel) as packed:
        for member in packed.infolist():
            if name := _place(member.filename):
                member.filename = name
                path = Path(packed.extract(member, site))
                # A zip's modes are not given to what is unpacked: a program inside of a package must stay one.
                if member.external_attr >> 16 & 0o111 and not member.is_dir():
                    path.chmod(0o755)


def _place(name: str) -> str | None:
    """Where a wheel's file is in the folder of packages; None for what has no place there."""
    first, _, rest = name.partition("/")
    if not first.endswith(".data"):
        return name
    kind, _, inner = rest.partition("/")
    return inner if kind in ("purelib", "platlib") else None


def fits(name: str, python: tuple[int, int] = PYTHON, machine: str = os.uname().machine) -> bool:
    """Whether a wheel is for a Python and a machine, by the tags of its name; the C library was chosen before."""
    pythons, abis, platforms = (tags.split(".") for tags in name.removesuffix(".whl").split("-")[-3:])
    major, minor = python
    if "abi3" in abis:
        of_python = any(tag[2:3] == str(major) and int(tag[3:]) <= minor for tag in pythons if tag[:2] == "cp")
    else:
        of_python = bool({f"py{major}", f"cp{major}{minor}"} & {*pythons})
    return of_python and any(tag == "any" or tag.endswith(f"_{machine}") for tag in platforms)
