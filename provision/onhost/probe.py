"""Look at a host and say what is there, as JSON: one round trip before any plan. Changes nothing."""

import grp
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

from provision.onhost import runs, units, whole

HOME = runs.HOME
SECRETS = Path("/home/jada/secrets")
UNIT_PROPERTIES = ("ActiveState", "SubState", "MainPID", "NRestarts", "UnitFileState", "InvocationID", "Result")


def main(asked: dict[str, Any]) -> dict[str, Any]:
    """Answer what is asked: {"packages", "files", "links", "folders", "groups", "units"}, each names or paths."""
    record = runs.Record()
    # Who logged in and became root by sudo; root itself needs no group.
    login = os.environ.get("SUDO_USER", "")
    return {
        "os": _os(),
        "python": ".".join(platform.python_version_tuple()[:2]),
        "machine": platform.machine(),
        "glibc": platform.libc_ver()[1],
        "packages": _packages(asked["packages"]),
        "files": {path: whole.digest(Path(path)) for path in asked["files"]},
        "links": {path: _target(Path(path)) for path in asked["links"]},
        "in_the_way": [path for path in asked["links"] if Path(path).is_dir() and not Path(path).is_symlink()],
        "wrong_rights": _wrong_rights(asked["folders"]),
        "login": login,
        "lacks_groups": [name for name in asked["groups"] if login and login not in _members(name)],
        "current": record.current(),
        "proven": record.proven(),
        "pending": (record.pending() or {}).get("release"),
        "deploying": runs.is_active(),
        "run": next(iter(record.runs()), None),
        "releases": {path.name: _release_state(path) for path in _newest_first(HOME / "releases")},
        "venvs": sorted(path.name for path in HOME.glob("venvs/*") if whole.is_whole_venv(path)),
        "units": {unit: _unit(unit) for unit in asked["units"]},
        "secrets": sorted(path.name for path in SECRETS.glob("*")) if SECRETS.is_dir() else [],
    }


def _members(group: str) -> list[str]:
    try:
        return grp.getgrnam(group).gr_mem
    except KeyError:
        return []


def _os() -> str:
    """The system as `debian_12`: the name that Lightsail's blueprints have."""
    release = platform.freedesktop_os_release()
    return f"{release.get('ID', '?')}_{release.get('VERSION_ID', '?').replace('.', '_')}"


def _packages(names: list[str]) -> dict[str, bool]:
    shown = _output(["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n", *names])
    installed = {line.split()[0] for line in shown.splitlines() if line.endswith(" installed")}
    return {name: name in installed for name in names}


def _target(path: Path) -> str | None:
    return str(path.readlink()) if path.is_symlink() else None


def _wrong_rights(folders: dict[str, list[str]]) -> list[str]:
    """The folders, and the secrets, that are not there with the mode and the owner they should have."""
    secrets = {str(path): ["0600", "root"] for path in sorted(SECRETS.glob("*"))}
    return [path for path, wanted in {**folders, **secrets}.items() if _rights(Path(path)) != wanted]


def _rights(path: Path) -> list[str] | None:
    try:
        return [f"{path.stat().st_mode & 0o7777:04o}", path.owner()]
    except (OSError, KeyError):  # not there, or of no user of this host
        return None


def _newest_first(folder: Path) -> list[Path]:
    # A dot marks what is half unpacked or about to go.
    releases = [path for path in folder.glob("[!.]*") if path.is_dir()]
    return sorted(releases, key=lambda path: path.stat().st_mtime, reverse=True)


def _release_state(release: Path) -> dict[str, Any]:
    """The part of a manifest that a plan compares, and what of the release is not as the manifest says."""
    read = whole.manifest(release) or {"lock": "", "units": {}}
    return {"lock": read["lock"], "units": read["units"], "damaged": whole.damage(release)}


def _unit(unit: str) -> dict[str, str | None]:
    shown = _output(["systemctl", "show", unit, f"--property={','.join(UNIT_PROPERTIES)}"])
    properties = dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)
    return {**properties, "release": units.running_release(unit)}


def _output(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout
