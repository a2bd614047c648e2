"""The text editor tool and the collection of files: both read and write only inside the sandbox, so that a symbolic
link of the model's making leads nowhere else.
"""

import json
import re
from pathlib import Path
from typing import Any, BinaryIO

from agent.sandbox.command import BROUGHT
from agent.sandbox.run import Sandbox
from agent.sandbox.waiting import Job
from agent.tools import editing
from agent.tools.result import OUT_OF_MEMORY, CallFailed, Result, text
from agent.tools.viewing import Viewer
from wire.types import FILE_LIMIT, FILE_NAME

DEFINITION = {"type": "text_editor_20250728", "name": "str_replace_based_edit_tool"}

# -I: no module that the model put into the workspace is imported.
_PYTHON = ("/usr/bin/python3", "-I", "-S")
_EDITING = Path(editing.__file__).read_bytes()
_READ = """
import os, stat, sys
try:
    fd = os.open(sys.argv[1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(fd).st_mode): sys.exit("not a regular file")
except OSError as error: sys.exit(error.strerror)
with open(fd, "rb") as file: sys.stdout.buffer.write(file.read(int(sys.argv[2])))
"""


def edit(sandbox: Sandbox, given: Any, viewer: Viewer | None = None) -> Result:
    """View or change a text file; `given` is the call's input as the API's tool type defines it. An image or a PDF is
    shown as it is by a `viewer`.
    """
    asked = json.dumps(given).encode()
    outcome = sandbox.run(Job([*_PYTHON, f"{BROUGHT}/editing"], stdin=asked, files={"editing": _EDITING}))
    if outcome.code is None:
        why = "The disk is nearly full" if outcome.full else "The time was up"
        raise CallFailed(f"{why}; the file is as before, or changed as asked: look.")
    if outcome.code == editing.IS_SHOWN and viewer:
        return viewer.view(given["path"], given.get("view_range"))
    said = f"{text(outcome)}\n{OUT_OF_MEMORY}".lstrip() if outcome.memory else text(outcome)
    if outcome.code != 0 and not said.strip():
        # The API refuses an error result without a word, and with it the whole conversation.
        said = f"The editor ended with exit code {outcome.code}, and said nothing: look at the file."
    return Result(said, is_error=outcome.code != 0)


def collect(sandbox: Sandbox, name: str, into: BinaryIO) -> None:
    """Copy a file of the workspace by its plain name; raises `CallFailed` with what is wrong with it."""
    if not re.fullmatch(FILE_NAME, name):
        raise CallFailed(f"{name!r} can't be handed over: plain names of files that lie in /workspace itself, please.")
    # One byte more than may be is read, and seen as too much.
    outcome = sandbox.run(Job([*_PYTHON, "-c", _READ, name, str(FILE_LIMIT + 1)]), into=(into, FILE_LIMIT))
    if outcome.code != 0:
        said = outcome.head.decode(errors="replace").strip() or "it took too long"
        raise CallFailed(f"{name} can't be handed over: {said}.")
    if outcome.left_out:
        raise CallFailed(f"{name} is over {FILE_LIMIT // 1024 // 1024} MB: hand over less, or compress it.")
