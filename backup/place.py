"""Putting a backup that is laid out into its places: what is there is set aside, never deleted.

The units must be stopped. Each step is a rename; one that was cut off is found by `unfinished`, and the restore is
begun again from the operator's side.
"""

import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from backup.receive import ABOUT
from backup.sources import DASHBOARD, GOOGLE, QUEUE, SECRETS, TOKENS, Places, Tree
from wire.archive import About
from wire.disk import sync_folder
from wire.values import read

UNFINISHED = "unfinished"
"""A file beside the folders: a restore was begun, and not finished."""
Run = Callable[[Sequence[str]], None]
COPY_NAME = "%Y%m%dT%H%M%SZ.db"
"""How the dashboard names its copies."""


def place(places: Places, staged: Path, app: Path, now: datetime, run: Run) -> Path:
    """Put all of a laid-out backup in place; return the folder that keeps what was there. Raises OSError, and what
    `run` does for a program that fails.
    """
    about = read(About, (staged / ABOUT).read_bytes())
    kept = places.restores / f"before-{now:%Y%m%dT%H%M%SZ}"
    kept.mkdir(mode=0o700, exist_ok=True)
    (places.restores / UNFINISHED).write_text(f"{staged.name}\n", encoding="ascii")
    sync_folder(places.restores)
    for tree in places.trees:
        _place_tree(tree, staged, kept, run)
    _place_queue(places, staged / DASHBOARD, about, app, run)
    _place_google(places, staged / SECRETS / GOOGLE, kept)
    shutil.rmtree(staged)
    (places.restores / UNFINISHED).unlink()
    sync_folder(places.restores)
    return kept


def _place_tree(tree: Tree, staged: Path, kept: Path, run: Run) -> None:
    """Also for a part of which the backup had nothing: what is there belongs to another life of the queue."""
    new = staged / tree.part
    new.mkdir(mode=0o700, exist_ok=True)
    new.chmod(0o700)
    run(["chown", "--recursive", "--no-dereference", f"{tree.user}:{tree.user}", str(new)])
    if tree.folder.exists():
        tree.folder.rename(kept / tree.part)
    new.rename(tree.folder)
    sync_folder(tree.folder.parent)


def _place_queue(places: Places, staged: Path, about: About, app: Path, run: Run) -> None:
    """By the dashboard's own program, which checks the copy, keeps what was there, and writes the marker."""
    name = datetime.fromisoformat(about.made_at).strftime(COPY_NAME)
    owner = "jada-dashboard:jada-queue"
    copies = places.queue / "backups"
    run(["install", "--directory", "--mode=0700", f"--owner={owner.partition(':')[0]}", str(copies)])
    run(["chown", "--no-dereference", owner, str(staged / QUEUE)])
    (staged / QUEUE).rename(copies / name)
    program = [str(app.parent / "venv/bin/python"), "-m", "dashboard.restore", "--state", str(places.queue)]
    run(["runuser", "--user", "jada-dashboard", "--", "env", f"--chdir={app}", *program, "--backup", name])
    if (staged / TOKENS).exists():
        run(["chown", "--no-dereference", owner, str(staged / TOKENS)])
        (staged / TOKENS).replace(places.queue / TOKENS)


def _place_google(places: Places, staged: Path, kept: Path) -> None:
    if not staged.exists():
        return
    held = places.secrets / GOOGLE
    if held.exists():
        shutil.copy2(held, kept / GOOGLE)
    os.chown(staged, 0, 0)
    staged.chmod(0o600)
    shutil.copy2(staged, new := held.with_name(f".{GOOGLE}.new"))
    new.replace(held)
    sync_folder(held.parent)


class ProgramFailed(Exception):
    """A program that a restore needs failed."""


def run_program(command: Sequence[str]) -> None:
    """Run a program to its end; raises `ProgramFailed` with what it said."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ProgramFailed(done.stderr.strip() or f"{command[0]} ended with {done.returncode}")


def still_active(units: Sequence[str]) -> list[str]:
    """Return the units that are at work."""
    asked = ["systemctl", "is-active", *units]
    said = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.split()
    return [unit for unit, state in zip(units, said, strict=True) if state not in ("inactive", "failed")]
