"""The programs of `onhost/` as they travel: one zip with all of them, so that they share their modules there."""

import base64
import io
import json
import zipfile
from functools import cache
from pathlib import Path
from typing import Any

PYTHON = ("python3", "-I", "-S", "-")
"""What runs them: as root, nothing is imported from the login user's folder or environment, nor from the host's
packages: to look for those takes a third of an empty program's start.
"""
ONHOST = Path(__file__).parents[1] / "onhost"
MAIN = """\
import os, sys
from pathlib import Path
from provision.onhost.events import Events
folder = Path(sys.argv[2])
if sys.argv[1] == "ended" and Events(folder / "events").last() is not None:
    sys.exit()  # as nearly always: for that the rest need not be compiled once more
from provision.onhost import installer
if sys.argv[1] == "install":
    sys.exit(installer.main(folder))
why = "/".join(os.environ.get(name, "?") for name in ("SERVICE_RESULT", "EXIT_CODE", "EXIT_STATUS"))
sys.exit(installer.ended(folder, why))
"""
# Python reads a zip by seeking in it, and standard input can't seek: a file in memory can, and leaves nothing behind.
LOAD = """\
import base64, json, os, sys
packed = os.memfd_create("jada")
os.write(packed, base64.b64decode({packed!r}))
sys.path.insert(0, f"/proc/self/fd/{{packed}}")
from provision.onhost import {name}
"""
CALL = LOAD + "print(json.dumps({name}.main(json.loads({argument!r}))))\n"
PROGRAM = (
    "# Written by `fab deploy`: one file, because it must be whole when no release is.\n"
    + LOAD
    + "sys.exit({name}.main())\n"
)


@cache
def packed() -> bytes:
    """Return all programs as a zip that Python runs as the installer: the same bytes for the same source."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        _add(archive, "__main__.py", MAIN.encode())
        _add(archive, "provision/__init__.py", b"")
        for path in sorted(ONHOST.glob("*.py")):
            _add(archive, f"provision/onhost/{path.name}", path.read_bytes())
    return out.getvalue()


def call(name: str, argument: Any) -> bytes:
    """Return Python for a host's standard input: it prints what the program's `main` answers, as JSON."""
    encoded = base64.b64encode(packed()).decode()
    return CALL.format(packed=encoded, name=name, argument=json.dumps(argument)).encode()


def standalone(name: str) -> str:
    """Return Python for a file on the host that runs a program which takes no argument."""
    return PROGRAM.format(packed=base64.b64encode(packed()).decode(), name=name)


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    # A ZipInfo of our own has a constant time; writestr by name would put in the present one.
    archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
