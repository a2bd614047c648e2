"""The wheelhouse: every package of the host's environment as a wheel, locked by hash, for the Python it runs there."""

import contextlib
import fcntl
import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from provision.errors import CommandError
from provision.onhost import locked
from provision.release import sbom

PIP = Path(__file__).parent / "files" / "pip.txt"
"""pip itself, pinned by hash: it fetches the others, on the operator's machine. None is needed on a host."""
OLDEST_GLIBC = 17
"""Wheels for glibc 2.17 and later: what PyPI's manylinux2014 means."""


REACHABLE = "is the package index reachable, and uv.lock in step with pyproject.toml (uv lock --check)?"
EXPORTS = (("--no-emit-project", "--no-annotate"), ("--format", "cyclonedx1.5"))
"""What is asked of uv.lock: the list of what is installed, and the bill of materials."""


@dataclass(frozen=True, slots=True)
class Platform:
    """What wheels must fit: Python as "3.11", machine as "x86_64", glibc as "2.36"."""

    python: str
    machine: str
    glibc: str


@dataclass(frozen=True, slots=True)
class Wheelhouse:
    """Wheels in a local folder; `key` names lock and platform together. `requirements`, of the lock itself, say which
    wheels are right: what lies in the folder is not believed. `sbom` is the bill of materials.
    """

    key: str
    requirements: str
    platform: Platform
    sbom: bytes = b""

    @property
    def folder(self) -> Path:
        """Where the wheels are, or will be."""
        return cache() / "wheels" / self.key


def cache() -> Path:
    """The folder for what can be fetched again."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "jada"


def wheelhouse_for(root: Path, platform: Platform) -> Wheelhouse:
    """Return the wheelhouse that uv.lock asks for on a platform; nothing is fetched."""
    with ThreadPoolExecutor(len(EXPORTS)) as pool:
        requirements, billed = pool.map(lambda words: _exported(root, words), EXPORTS)
    text = f"{requirements}\n{platform.python}\n{platform.machine}"
    key, bill = hashlib.sha256(text.encode()).hexdigest()[:12], sbom.bill_of_materials(billed)
    return Wheelhouse(key, requirements, platform, bill)


def fetch(wheelhouse: Wheelhouse) -> None:
    """Download the wheels unless the lock's own are there; an interrupted download leaves nothing that looks whole.

    Another deploy of this machine that fetches is waited for, and what it fetched is used.
    """
    wheelhouse.folder.parent.mkdir(parents=True, exist_ok=True)
    with _alone_in(wheelhouse.folder.parent):
        if wheelhouse.folder.is_dir():
            if not _strangers(wheelhouse, wheelhouse.folder):
                return
            shutil.rmtree(wheelhouse.folder)
        half = wheelhouse.folder.with_name(f".{wheelhouse.key}.{os.getpid()}.half")
        shutil.rmtree(half, ignore_errors=True)
        half.mkdir()
        pip = half.with_suffix(".pip")
        try:
            (half / locked.REQUIREMENTS).write_text(wheelhouse.requirements, encoding="utf-8")
            _uv(pip_command(pip), Path.cwd())
            _download(download_command(wheelhouse.platform, pip, half))
            half.rename(wheelhouse.folder)
        finally:
            shutil.rmtree(half, ignore_errors=True)
            shutil.rmtree(pip, ignore_errors=True)


@contextlib.contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)  # ends with the process, however that ends
        yield
    finally:
        os.close(held)


def pip_command(folder: Path) -> list[str]:
    """Return uv's arguments that put our pinned pip into a folder; uv compares its hash before it unpacks it."""
    options = ("--quiet", "--python", sys.executable, "--require-hashes", "--no-deps", "--only-binary", ":all:")
    return ["pip", "install", *options, "--target", str(folder), "--requirement", str(PIP)]


def download_command(platform: Platform, pip: Path, folder: Path) -> list[str]:
    """Return the command of that pip: only wheels, only with the locked hashes, only what fits the host."""
    newest = int(platform.glibc.split(".")[1])
    # With --platform pip takes only the tags it is given, so every older glibc is named too.
    platforms = [f"manylinux_2_{minor}_{platform.machine}" for minor in range(newest, OLDEST_GLIBC - 1, -1)]
    return [
        *(sys.executable, str(pip / "pip"), "download", "--quiet", "--disable-pip-version-check"),
        # --only-binary: to build from source would run the package's code here. --no-deps: the lock names all of them.
        *("--require-hashes", "--only-binary=:all:", "--no-deps", "--implementation", "cp"),
        *("--python-version", platform.python),
        *(word for name in platforms for word in ("--platform", name)),
        *("--platform", f"manylinux2014_{platform.machine}"),
        *("--dest", str(folder), "--requirement", str(folder / locked.REQUIREMENTS)),
    ]


def archive(wheelhouse: Wheelhouse) -> bytes:
    """Return the wheelhouse as one tar, with the lock's own list; raises `CommandError` for a wheel not named there.

    Wheels are compressed already. The same wheels are the same bytes: no times, no owners.
    """
    files = locked.contents(wheelhouse.folder)
    if odd := list(locked.strangers(files, wheelhouse.requirements)):
        raise CommandError(
            f"in the cache {', '.join(odd)} is not what uv.lock names: nothing was sent",
            f"remove {wheelhouse.folder}, and ask who changed it; then run again",
        )
    files[locked.REQUIREMENTS] = wheelhouse.requirements.encode()
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in sorted(files.items()):
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(content), 0o644
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


def _strangers(wheelhouse: Wheelhouse, folder: Path) -> list[str]:
    return list(locked.strangers(locked.contents(folder), wheelhouse.requirements))


def _exported(root: Path, words: tuple[str, ...]) -> str:
    options = ("--frozen", "--no-default-groups", "--extra", "host", "--no-header", "--quiet")
    return _uv(["export", *options, *words], root)


def _download(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CommandError(f"the wheels can't be fetched: {done.stderr.strip()[-600:]}", REACHABLE)


def _uv(arguments: list[str], root: Path) -> str:
    done = subprocess.run(
        [_program(), "--cache-dir", str(cache() / "uv"), *arguments],
        # A proxy's authority is among the system's certificates, and not among uv's own. The lock's hashes hold anyway.
        env={**os.environ, "UV_SYSTEM_CERTS": "1"},
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise CommandError(
            f"`uv {' '.join(arguments[:2])}` ended with {done.returncode}: {done.stderr.strip()[-600:]}",
            REACHABLE,
        )
    return done.stdout


def _program(environ: Mapping[str, str] = os.environ) -> str:
    """The uv on PATH, beside this Python, or the one that the local cloud's bootstrap keeps in the cache."""
    path = os.pathsep.join([environ.get("PATH", ""), str(Path(sys.executable).parent)])
    kept = sorted(cache().glob("uv-*/bin/uv"))
    found = shutil.which("uv", path=path) or (str(kept[-1]) if kept else None)
    if not found:
        raise CommandError(
            "`uv` is not on PATH: it reads uv.lock", "install uv (pip install uv), or run `make demo` once"
        )
    return found
