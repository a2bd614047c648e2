"""What a large repository costs a task: `python -m bench.repository`, part of `make bench`.

A generated repository whose files are a fifth of its history is opened by the worker's own tool twice, for two tasks.
The mirror is copied here, not fetched: the network is not what is measured.
"""

import argparse
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console

from agent.sandbox.run import Outcome, Sandbox
from agent.settings import Repository, ToolLimits
from agent.tools.opened import SHOWN
from agent.tools.repositories import Repositories, patient

COMMITS, FILES = 5, 20


class Copied:
    """Stands for the sandbox that fetches: brings the mirror from a folder."""

    def __init__(self, origin: Path, folder: Path) -> None:
        self._origin, self._folder = origin, folder

    def run(self, _job: Any) -> Outcome:
        """Copy the mirror, unless it is there."""
        mirror = self._folder / "repository.git"
        if not mirror.exists():
            _git("clone", "-q", "--mirror", str(self._origin), str(mirror))
            _git("config", "jada.id", "1", folder=mirror)
        return Outcome(b"", 0, b"", 0, b"")

    def close(self) -> None:
        """Nothing is left running."""


def main() -> None:
    """Generate, open twice, print sizes and seconds."""
    parser = argparse.ArgumentParser(prog="python -m bench.repository", description=__doc__)
    parser.add_argument("--megabytes", type=int, default=500, help="of history, files included (default: %(default)s)")
    megabytes = parser.parse_args().megabytes
    console = Console(width=120)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        console.print(f"generating a repository of {megabytes} MB …")
        _generate(folder / "origin", megabytes)
        for task in ("FIRST", "SECOND"):
            began = time.monotonic()
            said = _open(folder, task)
            took = time.monotonic() - began
            console.print(said.splitlines()[0])
            console.print(f"{task.lower()} task: {_megabytes(folder / task):.0f} MB of workspace in {took:.1f} s")
        console.print(f"shared by both: a mirror of {_megabytes(folder / 'mirrors'):.0f} MB")


def _generate(folder: Path, megabytes: int) -> None:
    _git("init", "-q", "-b", "main", str(folder))
    for commit in range(COMMITS):
        for number in range(FILES):
            # Random bytes: nothing of it shrinks.
            (folder / f"{number}.bin").write_bytes(os.urandom(megabytes * 1_000_000 // COMMITS // FILES))
        _git("add", ".", folder=folder)
        _git("commit", "-qm", f"commit {commit}", folder=folder)


def _open(folder: Path, task: str) -> str:
    workspace, mirrors = folder / task, folder / "mirrors"
    for made in (workspace, mirrors):
        made.mkdir(exist_ok=True)
    limits = patient(ToolLimits())
    sandbox = Sandbox(workspace, limits, time.monotonic, lambda: float("inf"), shown={SHOWN: mirrors})
    wanted = {"site": Repository(address="https://git.example.com/site.git")}
    apart: Any = lambda place: Copied(folder / "origin", place)  # noqa: E731 - one line is enough
    result = Repositories(sandbox, wanted, mirrors, task, lambda _name: False, apart).open({"repository": "site"})
    if result.is_error:
        raise SystemExit(result.content)
    return result.content


def _megabytes(folder: Path) -> float:
    return sum(path.lstat().st_size for path in _files(folder)) / 1_000_000


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def _git(*words: str, folder: Path | None = None) -> None:
    who = ["-c", "user.name=bench", "-c", "user.email=bench@localhost", "-c", "core.compression=0", "-c", "gc.auto=0"]
    subprocess.run(["git", *who, *words], cwd=folder, check=True)


if __name__ == "__main__":
    main()
