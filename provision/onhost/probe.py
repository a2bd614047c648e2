"""Look at a host and say what is there, as JSON: one round trip before any plan. Changes nothing."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from provision.onhost import durable, found, looks, runs, secret_store, units, whole
from provision.onhost.pauses import Pauses

HOME = runs.HOME
SECRETS = Path("/home/jada/secrets")
OS_RELEASE = Path("/etc/os-release")
UNIT_PROPERTIES = ("ActiveState", "SubState", "MainPID", "NRestarts", "UnitFileState", "InvocationID", "Result")


def main(asked: dict[str, Any]) -> dict[str, Any]:
    """Answer what is asked: {"looks": {kind: names}, "as_found": {kind: names}, "ours", "unseen", "units"}.

    `unseen` are looks that are left out for their time; without any, environments are read in full as well.
    Looks of the first kind are in `looks.py`; of the second, compared with what was found once, in `found.py`.
    """
    record = runs.Record()
    return {
        "os": _os(),
        "python": ".".join(map(str, sys.version_info[:2])),
        "machine": os.uname().machine,
        "glibc": (os.confstr("CS_GNU_LIBC_VERSION") or "").removeprefix("glibc "),
        "found": {
            **looks.see(asked["looks"], asked["ours"]),
            **found.see(asked["as_found"], asked["ours"], asked["unseen"]),
        },
        "login": looks.login_user(),
        "current": record.current(),
        **standing(record),
        "run": next(iter(record.runs()), None),
        "releases": releases(HOME / "releases"),
        "venvs": sorted(
            path.name for path in HOME.glob("venvs/[!.]*") if whole.is_whole_venv(path, fully=not asked["unseen"])
        ),
        "paused": Pauses().all(),
        "units": _units(asked["units"]),
        "secrets": secret_store.held(SECRETS),
    }


def standing(record: runs.Record, is_active: Callable[[], bool] = runs.is_active) -> dict[str, Any]:
    """Return what is proven, what is pending, and whether an installer is at work or watches."""
    # In this order, the opposite of an installer's: one that ends meanwhile leaves no release that seems unproven.
    deploying = is_active()
    pending = (record.pending() or {}).get("release")
    return {"deploying": deploying, "pending": pending, "proven": record.proven()}


def _os() -> str:
    """The system as `debian_12`: the name that Lightsail's blueprints have."""
    # Without the module `platform`, which prepares twenty expressions for other systems.
    lines = (line.split("=", 1) for line in OS_RELEASE.read_text(encoding="utf-8").splitlines() if "=" in line)
    release = {name: value.strip("\"' ") for name, value in lines}
    return f"{release.get('ID', '?')}_{release.get('VERSION_ID', '?').replace('.', '_')}"


def releases(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the state of each release, the newest first; without those that an installer removes meanwhile."""
    # A dot marks what is half unpacked or about to go.
    states = {path: _release_state(path) for path in folder.glob("[!.]*") if path.is_dir()}
    # Asked last: an installer takes a release its name before its first file.
    written = {path: at for path in states if (at := durable.written_at(path)) is not None}
    return {path.name: states[path] for path in sorted(written, key=written.__getitem__, reverse=True)}


def _release_state(release: Path) -> dict[str, Any]:
    """The part of a manifest that a plan compares, and what of the release is not as the manifest says."""
    read = whole.manifest(release) or {"lock": "", "units": {}}
    return {
        "lock": read["lock"],
        "units": read["units"],
        "damaged": whole.damage(release),
        **({"origin": read["origin"]} if read.get("origin") else {}),
    }


def _units(names: list[str]) -> dict[str, dict[str, Any]]:
    shown = units.shown_all(names, UNIT_PROPERTIES)
    return {
        unit: {
            **state,
            "release": units.release_of(state["MainPID"] or "0"),
            "stale_secrets": units.stale_secrets(unit),
        }
        for unit, state in shown.items()
    }
