"""What a release consists of: the parts' code, units, settings and scripts, as one value named by its content."""

import gzip
import hashlib
import io
import json
import tarfile
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from provision import reference
from provision.system.units import UNITS

FILES = Path(__file__).parent / "files"
PACKAGES = ("agent", "backup", "dashboard", "notify", "sync", "wire")
SCRIPTS = Path("sync") / "scripts"
SBOM = "sbom.cdx.json"
REFERENCE = "reference"
"""Where a release has the folder that tools may read: the worker looks for it there."""
READS = {"dashboard": ("dashboard", "agent", "backup")}
"""Sections of the settings that a part reads, where it is not its own only: the page shows the worker's limits, and
what becomes of backups.
"""


@dataclass(frozen=True, slots=True)
class Bundle:
    """A release's files (path → content), its id, the key of its environment, and what each unit depends on.

    `units` has, for each unit, a digest of each thing whose change means a restart: code, environment, settings, unit.
    """

    id: str
    lock: str
    files: Mapping[str, bytes]
    units: Mapping[str, Mapping[str, str]]


def collect(root: Path, settings: Path, lock: str, sbom: bytes = b"") -> Bundle:
    """Read a release from the work tree `root`, with the operator's `settings` file; `lock` names its environment, and
    `sbom` says what is in it.
    """
    files = dict(sorted([*_files(root, settings), *([(SBOM, sbom)] if sbom else [])]))
    units = {unit: _fingerprint(files, unit, part, lock) for unit, part in UNITS.items()}
    digests = _digests(files)
    named = json.dumps([lock, units, digests], sort_keys=True).encode()
    return Bundle(hashlib.sha256(named).hexdigest()[:12], lock, files, units)


def manifest(bundle: Bundle, origin: Mapping[str, Any] | None = None) -> bytes:
    """Return the manifest that lies in the release: its id, its environment's key, each file's SHA-256, and its
    `origin`, which is no part of what its id is made from.
    """
    content = {
        "id": bundle.id,
        "lock": bundle.lock,
        "files": _digests(bundle.files),
        "units": bundle.units,
        # The worker says in its status that its poll was answered: one of a release from before does not.
        "polls": True,
        **({"origin": origin} if origin else {}),
    }
    return json.dumps(content, indent=1, sort_keys=True).encode() + b"\n"


def archive(bundle: Bundle, origin: Mapping[str, Any] | None = None) -> bytes:
    """Return the release as a tar.gz, the same bytes for the same content: no times, no owners, sorted."""
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb", mtime=0) as zipped, tarfile.open(fileobj=zipped, mode="w") as tar:
        for name, content in [*bundle.files.items(), ("manifest.json", manifest(bundle, origin))]:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            info.mode = 0o644
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


def _files(root: Path, settings: Path) -> Iterator[tuple[str, bytes]]:
    for package in PACKAGES:
        yield from _tree(root / package, f"app/{package}")
    yield from _tree(root / SCRIPTS, "scripts")
    yield from _tree(FILES / "units", "units")
    yield from _tree(FILES / "etc", "etc")
    text = settings.read_bytes()
    yield "etc/jada.toml", text
    if folder := reference.beside(settings, tomllib.loads(text.decode())):
        yield from _tree(folder, f"{REFERENCE}/{folder.name}")


def _tree(folder: Path, prefix: str) -> Iterator[tuple[str, bytes]]:
    for path in folder.rglob("*"):
        parts = path.relative_to(folder).parts
        if path.is_file() and not any(part == "__pycache__" or part.startswith(".") for part in parts):
            yield "/".join([prefix, *parts]), path.read_bytes()


def _fingerprint(files: Mapping[str, bytes], unit: str, part: str, lock: str) -> dict[str, str]:
    code = {name: data for name, data in files.items() if name.startswith((f"app/{part}/", "app/wire/"))}
    settings: Any = tomllib.loads(files["etc/jada.toml"].decode())
    sections = [settings.get(name, {}) for name in READS.get(part, (part,))]
    shown = {name: data for name, data in files.items() if name.startswith(f"{REFERENCE}/")}
    if part == "agent" and shown:
        sections.append(_digests(shown))
    return {
        "code": _digest(json.dumps(_digests(code), sort_keys=True).encode()),
        "environment": lock,
        # `default`, because TOML has dates and JSON has none.
        "settings": _digest(json.dumps(sections, sort_keys=True, default=str).encode()),
        "unit": _digest(files[f"units/{unit}"]),
    }


def _digests(files: Mapping[str, bytes]) -> dict[str, str]:
    return {name: _digest(content) for name, content in files.items()}


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
