"""View and edit text files. This file runs inside the sandbox as a program of its own: standard library only.

stdin: the call's input as JSON. stdout: the answer. Exit code 1: the answer says what was wrong; 3: the file is
an image or a PDF.
"""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

IS_SHOWN = 3
"""The exit code for a file that is no text and can be shown as it is: an image or a PDF."""
_SHOWN = (b"%PDF-", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF8")


class IsShown(Exception):
    """The file to view is an image or a PDF."""


class CannotEdit(Exception):
    """The call can't be done as asked."""


def view(path: Path, asked: dict[str, Any]) -> str:
    """Return a file's numbered lines (`view_range`: first and last, -1 for the end), or what a folder holds."""
    if path.is_dir():
        return "\n".join(sorted(_entries(path)))
    with path.open("rb") as file:
        head = file.read(12)
    if head.startswith(_SHOWN) or (head[:4], head[8:]) == (b"RIFF", b"WEBP"):
        raise IsShown
    lines = _read(path).splitlines()
    first, last = asked.get("view_range") or (1, -1)
    last = len(lines) if last == -1 else last
    first_exists = 1 <= first <= max(len(lines), 1)
    if not first_exists or last < first - 1:
        raise CannotEdit(f"view_range must lie within lines 1 to {len(lines)}.")
    return "\n".join(f"{n:6}\t{line}" for n, line in enumerate(lines[first - 1 : last], first)) or "(empty file)"


def create(path: Path, asked: dict[str, Any]) -> str:
    """Write a file, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _write(path, asked["file_text"])
    return f"Wrote {path}."


def str_replace(path: Path, asked: dict[str, Any]) -> str:
    """Replace a text that occurs exactly once; without `new_str` it is taken out."""
    text, old = _read(path), asked["old_str"]
    found = text.count(old) if old else 0
    if found != 1:
        raise CannotEdit(
            f"old_str occurs {found} times in {path}: give a text that occurs exactly once. Nothing was changed."
        )
    _write(path, text.replace(old, asked.get("new_str") or ""))
    return f"Replaced it in {path}."


def insert(path: Path, asked: dict[str, Any]) -> str:
    """Insert a text behind line `insert_line`; 0 is the start of the file."""
    lines, at, new = _read(path).splitlines(keepends=True), asked["insert_line"], asked["insert_text"]
    is_a_place = 0 <= at <= len(lines)
    if not is_a_place:
        raise CannotEdit(f"insert_line must lie between 0 and {len(lines)}.")
    if at and not lines[at - 1].endswith("\n"):
        lines[at - 1] += "\n"
    end = "" if new.endswith("\n") or at == len(lines) else "\n"
    _write(path, "".join([*lines[:at], new + end, *lines[at:]]))
    return f"Inserted it in {path}."


COMMANDS: dict[str, Callable[[Path, dict[str, Any]], str]] = {
    "view": view,
    "create": create,
    "str_replace": str_replace,
    "insert": insert,
}


def edit(asked: dict[str, Any], folder: Path) -> str:
    """Do what is asked; relative paths count from `folder`. Raises `CannotEdit`."""
    try:
        command, path = COMMANDS[asked["command"]], folder / asked["path"]
        # A pipe or a device would be waited for until the call's time is up.
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise CannotEdit(f"{path} is no file: look at it with bash.")
        return command(path, asked)
    except KeyError as error:
        raise CannotEdit(f"Missing or unknown: {error}. Commands are {', '.join(COMMANDS)}.") from error
    except (TypeError, ValueError, AttributeError) as error:
        raise CannotEdit(f"An input has the wrong type or value: {error}") from error
    except OSError as error:
        raise CannotEdit(f"{asked['path']}: {error.strerror}.") from error


def _entries(folder: Path) -> list[str]:
    """Two levels deep, hidden ones left out, as the tool's own description has it."""
    found = [*folder.glob("*"), *folder.glob("*/*")]
    shown = [path for path in found if not any(part.startswith(".") for part in path.relative_to(folder).parts)]
    return [f"{path}/" if path.is_dir() else str(path) for path in shown] or ["(empty folder)"]


def _read(path: Path) -> str:
    try:
        # newline="": line ends stay as they are, or an edit would rewrite every line of a CRLF file.
        with path.open(encoding="utf-8", newline="") as file:
            return file.read()
    except UnicodeDecodeError as error:
        raise CannotEdit(f"{path} is not UTF-8 text: look at it with bash.") from error


def _write(path: Path, text: str) -> None:
    """Replace a file as one step, its mode kept: a killed call leaves the old one or the new one."""
    new = path.with_name(f".{path.name}.new")
    with new.open("w", encoding="utf-8", newline="") as file:
        file.write(text)
    if path.exists():
        new.chmod(path.stat().st_mode)
    # A link's target is replaced: a rename over the link itself would cut it.
    new.replace(os.path.realpath(path))


def main() -> int:
    """Answer the call on stdin; 1 when it can't be done as asked, 3 for an image or a PDF."""
    try:
        answer, code = edit(json.load(sys.stdin), Path.cwd()), 0
    except CannotEdit as error:
        answer, code = str(error), 1
    except IsShown:
        answer, code = "", IS_SHOWN
    sys.stdout.write(answer)
    return code


if __name__ == "__main__":
    sys.exit(main())
