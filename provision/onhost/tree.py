"""Releases and virtual environments as folders: each appears whole or not at all, and `current` is one rename."""

import compileall
import hashlib
import io
import json
import shutil
import subprocess
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from provision.onhost import durable, locked, wheels, whole
from provision.onhost.errors import ContentDamaged, SystemStepFailed

LEFT_S = 3600
"""An upload that is older belongs to a deploy that was cut off."""


def read_verified(path: Path, digest: str) -> bytes:
    """Return a file's content; raises `ContentDamaged` unless its SHA-256 is `digest`."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise ContentDamaged(f"{path.name} is gone: another deploy tidied up; run this one again") from None
    if hashlib.sha256(content).hexdigest() != digest:
        raise ContentDamaged(f"{path.name} arrived damaged; run the deploy again")
    return content


def place_release(archive: bytes, folder: Path, venv: Path) -> None:
    """Make a release beside its place: unpacked, checked, linked, compiled, on disk; only then it gets its name."""
    half = unpack(archive, folder)
    finish_release(half, venv)
    durable.place(half, folder)
    # After a change of places the half one is what was there before.
    shutil.rmtree(half, ignore_errors=True)


def unpack(archive: bytes, folder: Path) -> Path:
    """Unpack a tar archive beside a folder's place and return where; root's, readable by all."""
    half = folder.with_name(f".{folder.name}.half")
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir(parents=True, mode=0o755)
    half.chmod(0o755)
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        tar.extractall(half, filter="data") if hasattr(tarfile, "data_filter") else tar.extractall(half)  # noqa: S202 - ours, hash checked; an early 3.11 has no filters
    return half


def finish_release(folder: Path, venv: Path) -> None:
    """Check a release's files against its manifest, link its environment, compile what unprivileged units import."""
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    for name, digest in manifest["files"].items():
        read_verified(folder / name, digest)
    durable.link(folder / "venv", str(venv))
    compileall.compile_dir(folder / "app", quiet=2, force=True)
    durable.write(folder / whole.SEAL, whole.seal(folder), 0o644)


def make_venv(wheelhouse: bytes, venv: Path) -> None:
    """Make a virtual environment from a wheelhouse, offline, every wheel checked by its hash; marked when complete."""
    shutil.rmtree(venv, ignore_errors=True)
    unpacked = unpack(wheelhouse, venv)
    try:
        require_locked(unpacked)
        # No ensurepip: it would need the distribution's python3-venv.
        _run(["python3", "-m", "venv", "--without-pip", str(venv)])
        site = next(venv.glob("lib/python3*/site-packages"))
        for wheel in sorted(unpacked.glob("*.whl")):
            wheels.place(wheel, site)
        # Programs may not write there; what does not compile is what no program imports.
        compileall.compile_dir(site, quiet=2)
        # Last, and after all else is on disk: an environment without the mark is made anew by the next deploy.
        durable.settle_all(venv)
        durable.write(venv / whole.MARK, whole.mark(venv), 0o644)
    finally:
        shutil.rmtree(unpacked, ignore_errors=True)


def require_locked(folder: Path) -> None:
    """Raise `ContentDamaged` for a wheel that the list beside it does not name, or one that is named and not there."""
    requirements = (folder / locked.REQUIREMENTS).read_text(encoding="utf-8")
    files = locked.contents(folder)
    if odd := list(locked.strangers(files, requirements)):
        raise ContentDamaged(
            f"{', '.join(odd)} is not what the lock names: nothing of it was run; run the deploy again"
        )
    if lacking := list(locked.lacking(files, requirements)):
        raise ContentDamaged(f"there is no wheel of {', '.join(lacking)}, which the lock names; run the deploy again")


def link_all(links: Mapping[str, str]) -> None:
    """Make the links that the plan names."""
    for path, target in links.items():
        durable.link(Path(path), target)


def prune(home: Path, keep: Iterable[str]) -> list[str]:
    """Remove the releases not named in `keep` and the environments that no remaining one uses; return what went."""
    kept = set(keep)
    gone = [path for path in (home / "releases").glob("*") if path.name not in kept]
    used = {link.readlink().name for link in _venv_links(home, kept)}
    gone += [path for path in (home / "venvs").glob("*") if path.name not in used]
    # What was cut off goes first: it may have the name that another takes to go.
    for path in sorted(gone, key=lambda path: not path.name.startswith(".")):
        _remove(path)
    # What has a dot was cut off half way, and is no news to anyone.
    return [f"{path.parent.name}/{path.name}" for path in gone if not path.name.startswith(".")]


def _remove(path: Path) -> None:
    """Remove a file or folder, whose name goes first: who looks meanwhile finds it whole or not at all."""
    going = path if path.name.startswith(".") else path.rename(path.with_name(f".{path.name}.gone"))
    shutil.rmtree(going) if going.is_dir() and not going.is_symlink() else going.unlink()


def tidy_uploads(staging: Path, used: Iterable[str], now: float) -> None:
    """Remove what was uploaded and used, and what a cut-off deploy left; a later one may be uploading right now."""
    own = set(used)
    for path in staging.glob("*"):
        at = durable.written_at(path)
        if at is not None and (str(path) in own or now - at / 1e9 > LEFT_S):
            path.unlink(missing_ok=True)


def _venv_links(home: Path, releases: Iterable[str]) -> Iterator[Path]:
    for name in releases:
        link = home / "releases" / name / "venv"
        if link.is_symlink():
            yield link


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemStepFailed(f"{command[1]} … ended with {done.returncode}: {done.stderr.strip()[-500:]}")
