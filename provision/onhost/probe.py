"""Look at a host and say what is there, as JSON: one round trip before any plan. Changes nothing."""

import platform
from pathlib import Path
from typing import Any

from provision.onhost import looks, runs, units, whole
from provision.onhost.pauses import Pauses

HOME = runs.HOME
SECRETS = Path("/home/jada/secrets")
UNIT_PROPERTIES = ("ActiveState", "SubState", "MainPID", "NRestarts", "UnitFileState", "InvocationID", "Result")


def main(asked: dict[str, Any]) -> dict[str, Any]:
    """Answer what is asked: {"looks": {kind: names}, "units": names}; each kind is a look of `looks.py`."""
    record = runs.Record()
    return {
        "os": _os(),
        "python": ".".join(platform.python_version_tuple()[:2]),
        "machine": platform.machine(),
        "glibc": platform.libc_ver()[1],
        "found": looks.see(asked["looks"]),
        "login": looks.login_user(),
        "current": record.current(),
        "proven": record.proven(),
        "pending": (record.pending() or {}).get("release"),
        "deploying": runs.is_active(),
        "run": next(iter(record.runs()), None),
        "releases": {path.name: _release_state(path) for path in _newest_first(HOME / "releases")},
        "venvs": sorted(path.name for path in HOME.glob("venvs/*") if whole.is_whole_venv(path)),
        "paused": Pauses().all(),
        "units": {unit: _unit(unit) for unit in asked["units"]},
        "secrets": sorted(path.name for path in SECRETS.glob("*")) if SECRETS.is_dir() else [],
    }


def _os() -> str:
    """The system as `debian_12`: the name that Lightsail's blueprints have."""
    release = platform.freedesktop_os_release()
    return f"{release.get('ID', '?')}_{release.get('VERSION_ID', '?').replace('.', '_')}"


def _newest_first(folder: Path) -> list[Path]:
    # A dot marks what is half unpacked or about to go.
    releases = [path for path in folder.glob("[!.]*") if path.is_dir()]
    return sorted(releases, key=lambda path: path.stat().st_mtime, reverse=True)


def _release_state(release: Path) -> dict[str, Any]:
    """The part of a manifest that a plan compares, and what of the release is not as the manifest says."""
    read = whole.manifest(release) or {"lock": "", "units": {}}
    return {"lock": read["lock"], "units": read["units"], "damaged": whole.damage(release)}


def _unit(unit: str) -> dict[str, str | None]:
    shown = looks.output(["systemctl", "show", unit, f"--property={','.join(UNIT_PROPERTIES)}"])
    properties = dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)
    return {**properties, "release": units.running_release(unit)}
