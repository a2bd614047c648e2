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

from provision.onhost import durable, locked, whole
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


def make_venv(wheels: bytes, venv: Path) -> None:
    """Make a virtual environment from a wheelhouse, offline, every wheel checked by its hash; marked when complete."""
    shutil.rmtree(venv, ignore_errors=True)
    unpacked = unpack(wheels, venv)
    try:
        require_locked(unpacked)
        # No ensurepip: it would need the distribution's python3-venv.
        _run(["python3", "-m", "venv", "--without-pip", str(venv)])
        pip = next(unpacked.glob("pip-*.whl")) / "pip"
        # Of no use there once it has run: a twelfth of all files that each look at the environment reads.
        wanted = unpacked / "wanted.txt"
        wanted.write_text(locked.without(locked.PIP, (unpacked / locked.REQUIREMENTS).read_text(encoding="utf-8")))
        # --no-deps: the lock names all that is wanted, also where a package asks for more.
        _run([
            str(venv / "bin" / "python"), str(pip), "install", "--quiet", "--no-index", "--no-cache-dir",
            "--disable-pip-version-check", "--require-hashes", "--no-deps", "--only-binary=:all:",
            "--find-links", str(unpacked),
            "-r", str(wanted),
        ])  # fmt: skip
        # Last, and after all else is on disk: an environment without the mark is made anew by the next deploy.
        durable.settle_all(venv)
        durable.write(venv / whole.MARK, whole.mark(venv), 0o644)
    finally:
        shutil.rmtree(unpacked, ignore_errors=True)


def require_locked(folder: Path) -> None:
    """Raise `ContentDamaged` for a wheel that the list beside it does not name: pip is one too, and runs as root."""
    requirements = (folder / locked.REQUIREMENTS).read_text(encoding="utf-8")
    if odd := list(locked.strangers(locked.contents(folder), requirements)):
        raise ContentDamaged(
            f"{', '.join(odd)} is not what the lock names: nothing of it was run; run the deploy again"
        )


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
