"""Look at a host and say what is there, as JSON: one round trip before any plan. Changes nothing."""

import hashlib
import json
import platform
import subprocess
from pathlib import Path
from typing import Any

HOME = Path("/opt/jada-agent")
SECRETS = Path("/home/jada/secrets")
UNIT_PROPERTIES = ("ActiveState", "SubState", "MainPID", "NRestarts", "UnitFileState", "InvocationID", "Result")


def main(asked: dict[str, Any]) -> dict[str, Any]:
    """Answer what is asked: {"packages", "files", "links", "folders", "units"} are names and paths to look at."""
    return {
        "os": _os(),
        "python": ".".join(platform.python_version_tuple()[:2]),
        "machine": platform.machine(),
        "glibc": platform.libc_ver()[1],
        "packages": _packages(asked["packages"]),
        "files": {path: _digest(Path(path)) for path in asked["files"]},
        "links": {path: _target(Path(path)) for path in asked["links"]},
        "wrong_rights": _wrong_rights(asked["folders"]),
        "current": _current(HOME / "current"),
        "releases": {path.name: _manifest(path) for path in _newest_first(HOME / "releases")},
        "venvs": sorted(path.parent.name for path in HOME.glob("venvs/*/complete")),
        "units": {unit: _unit(unit) for unit in asked["units"]},
        "secrets": sorted(path.name for path in SECRETS.glob("*")) if SECRETS.is_dir() else [],
    }


def _os() -> str:
    """The system as `debian_12`: the name that Lightsail's blueprints have."""
    release = platform.freedesktop_os_release()
    return f"{release.get('ID', '?')}_{release.get('VERSION_ID', '?').replace('.', '_')}"


def _packages(names: list[str]) -> dict[str, bool]:
    shown = _output(["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n", *names])
    installed = {line.split()[0] for line in shown.splitlines() if line.endswith(" installed")}
    return {name: name in installed for name in names}


def _digest(path: Path) -> str | None:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None


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


def _current(link: Path) -> str | None:
    return link.readlink().name if link.is_symlink() else None


def _newest_first(folder: Path) -> list[Path]:
    # A dot marks what is half unpacked or about to go.
    releases = [path.parent for path in folder.glob("[!.]*/manifest.json")]
    return sorted(releases, key=lambda path: path.stat().st_mtime, reverse=True)


def _manifest(release: Path) -> dict[str, Any]:
    """The part of a manifest that a plan compares, and the files that are not what it says of them."""
    manifest: dict[str, Any] = json.loads((release / "manifest.json").read_text(encoding="utf-8"))
    damaged = [name for name, digest in manifest["files"].items() if _digest(release / name) != digest]
    return {"lock": manifest["lock"], "units": manifest["units"], "damaged": damaged}


def _unit(unit: str) -> dict[str, str | None]:
    shown = _output(["systemctl", "show", unit, f"--property={','.join(UNIT_PROPERTIES)}"])
    properties = dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)
    return {**properties, "release": _release(properties.get("MainPID") or "0")}


def _release(pid: str) -> str | None:
    """The release from which a process runs, by its working folder: what the kernel says, whatever `current` says."""
    try:
        folder = Path(f"/proc/{pid}/cwd").readlink()
    except OSError:
        return None
    parts = folder.relative_to(HOME / "releases").parts if folder.is_relative_to(HOME / "releases") else ()
    return parts[0] if parts else None


def _output(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout
