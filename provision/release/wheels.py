"""The wheelhouse: every package of the host's environment as a wheel, locked by hash, for the Python it runs there."""

import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from provision.errors import CommandError

PIP = Path(__file__).parent / "files" / "pip.txt"
"""pip itself, pinned by hash: it installs the others on the host, where none is needed beforehand."""
OLDEST_GLIBC = 17
"""Wheels for glibc 2.17 and later: what PyPI's manylinux2014 means."""


@dataclass(frozen=True, slots=True)
class Platform:
    """What wheels must fit: Python as "3.11", machine as "x86_64", glibc as "2.36"."""

    python: str
    machine: str
    glibc: str


@dataclass(frozen=True, slots=True)
class Wheelhouse:
    """Wheels in a local folder; `key` names lock and platform together, `folder` is None until they are fetched."""

    key: str
    requirements: str
    platform: Platform

    @property
    def folder(self) -> Path:
        """Where the wheels are, or will be."""
        return cache() / "wheels" / self.key


def cache() -> Path:
    """The folder for what can be fetched again."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "jada"


def wheelhouse_for(root: Path, platform: Platform) -> Wheelhouse:
    """Return the wheelhouse that uv.lock asks for on a platform; nothing is fetched."""
    requirements = _exported(root) + PIP.read_text(encoding="utf-8")
    text = f"{requirements}\n{platform.python}\n{platform.machine}"
    return Wheelhouse(hashlib.sha256(text.encode()).hexdigest()[:12], requirements, platform)


def fetch(wheelhouse: Wheelhouse) -> None:
    """Download the wheels unless they are there; an interrupted download leaves nothing that looks whole."""
    if wheelhouse.folder.is_dir():
        return
    half = wheelhouse.folder.with_name(f".{wheelhouse.key}.{os.getpid()}.half")
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir(parents=True)
    try:
        (half / "requirements.txt").write_text(wheelhouse.requirements, encoding="utf-8")
        _uv(download_command(wheelhouse.platform, half), Path.cwd())
        half.rename(wheelhouse.folder)
    finally:
        shutil.rmtree(half, ignore_errors=True)


def download_command(platform: Platform, folder: Path) -> list[str]:
    """Return uv's arguments that run our pinned pip: only wheels, only with the locked hashes, only what fits."""
    pinned = PIP.read_text(encoding="utf-8").split()[0]
    newest = int(platform.glibc.split(".")[1])
    # With --platform pip takes only the tags it is given, so every older glibc is named too.
    platforms = [f"manylinux_2_{minor}_{platform.machine}" for minor in range(newest, OLDEST_GLIBC - 1, -1)]
    return [
        *(
            "tool",
            "run",
            "--python",
            sys.executable,
            "--from",
            pinned,
            "pip",
            "download",
            "--quiet",
            "--disable-pip-version-check",
        ),
        *("--require-hashes", "--only-binary=:all:", "--no-deps", "--implementation", "cp"),
        *("--python-version", platform.python),
        *(word for name in platforms for word in ("--platform", name)),
        *("--platform", f"manylinux2014_{platform.machine}"),
        *("--dest", str(folder), "--requirement", str(folder / "requirements.txt")),
    ]


def archive(wheelhouse: Wheelhouse) -> bytes:
    """Return the wheelhouse as one tar; wheels are compressed already."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for path in sorted(wheelhouse.folder.iterdir()):
            tar.add(path, arcname=path.name)
    return out.getvalue()


def _exported(root: Path) -> str:
    arguments = [
        "export",
        "--frozen",
        "--no-default-groups",
        "--extra",
        "host",
        "--no-emit-project",
        "--no-header",
        "--no-annotate",
    ]
    return _uv([*arguments, "--quiet"], root)


def _uv(arguments: list[str], root: Path) -> str:
    done = subprocess.run(
        [_program(), "--cache-dir", str(cache() / "uv"), *arguments],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise CommandError(
            f"`uv {' '.join(arguments[:2])}` ended with {done.returncode}: {done.stderr.strip()[-600:]}",
            "is the package index reachable, and uv.lock in step with pyproject.toml (uv lock --check)?",
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
