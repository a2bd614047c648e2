"""Where a release comes from: the commit of the work tree it was built in, and whether this one is behind it."""

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FIELDS = ("commit", "time", "author")


def describe(root: Path) -> dict[str, Any] | None:
    """Return the commit of a work tree, its time and author, and whether files differ from it; None without git."""
    said = _git(root, "log", "-1", "--format=%H%n%cI%n%an")
    if said is None or len(said.splitlines()) != len(FIELDS):
        return None
    changed = _git(root, "status", "--porcelain", "--untracked-files=no")
    return {**dict(zip(FIELDS, said.splitlines(), strict=True)), "changed": bool(changed)}


def older(root: Path, running: Mapping[str, Any]) -> str | None:
    """Say that this work tree is older than what runs, or does not have its commit; None where it is neither."""
    commit = str(running.get("commit") or "")
    head = _git(root, "rev-parse", "HEAD")
    if not commit or head is None or head.strip() == commit:
        return None
    what = f"what runs there, commit {commit[:12]} of {running.get('time')} by {running.get('author')}"
    if _git(root, "cat-file", "-e", f"{commit}^{{commit}}") is None:
        return f"this checkout does not have {what}: `git fetch`, and look before you deploy over it"
    if _git(root, "merge-base", "--is-ancestor", "HEAD", commit) is not None:
        return f"this checkout is OLDER than {what}: a deploy would take back what came since (`git pull`)"
    return None


def _git(root: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return done.stdout if done.returncode == 0 else None
