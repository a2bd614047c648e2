"""Read texts of this host that a plan compares: files of ours that differ, settings and units of a release."""

from pathlib import Path
from typing import Any

from provision.onhost import whole
from provision.onhost.runs import HOME

LONGEST = 100_000


def main(asked: dict[str, Any]) -> dict[str, Any]:
    """Answer with {"files": {path: text}} of {"files": paths}, and with {"digests", "texts"} of the current release,
    where {"release"} is asked for: digests of all its files, texts of those that begin with one of `shown`.
    """
    current = HOME / "current"
    digests = (whole.manifest(current) or {}).get("files", {}) if asked["release"] else {}
    shown = [name for name in digests if name.startswith(tuple(asked["shown"]))]
    return {
        "files": {path: _text(Path(path)) for path in asked["files"]},
        "digests": digests,
        "texts": {name: _text(current / name) for name in shown},
    }


def _text(path: Path) -> str | None:
    try:
        with path.open(encoding="utf-8", errors="replace") as read:
            return read.read(LONGEST)
    except OSError:
        return None
