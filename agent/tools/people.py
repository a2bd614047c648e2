"""The tools that reach beyond the workspace: a new task in the queue, a question to the user, the end of the task.

None of them acts by itself: what they ask for goes into the journal, and the daemon and the dashboard act on it.
"""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta

from agent.sandbox.run import Sandbox
from agent.tools.editor import collect
from agent.tools.repositories import Repositories
from agent.tools.result import CallFailed, Result
from wire.disk import sync_folder
from wire.types import DESCRIPTION_LIMIT, SUBTASKS_LIMIT, Claim, Id, NewTask, require_short
from wire.values import Invalid, Value, decode, encode

CREATE_TASK: dict[str, Any] = {
    "name": "create_task",
    "description": "Put a new task into the queue, for another session to work on later. It spends this task's budget.",
    "input_schema": {
        "type": "object",
        "properties": {
            "title": {"type": "string", "description": "One line, at most 200 bytes."},
            "description": {"type": "string", "description": "All that one needs to know to do it, at most 8 KB."},
            "files": {
                "type": "array",
                "items": {"type": "string"},
                "description": "Names of files in /workspace itself that it needs, at most 20 of 10 MB in all. It sees "
                "nothing else of this workspace.",
            },
        },
        "required": ["title", "description"],
        "additionalProperties": False,
    },
}
WAIT: dict[str, Any] = {
    "name": "wait_for_tasks",
    "description": (
        "Wait until tasks that you created are over, however long that takes: this session rests meanwhile and costs "
        "nothing. The result says how each ended, with its result; files that it handed over are then in /workspace. "
        "Create all that can be worked on independently first, then wait for all at once."
    ),
    "input_schema": {
        "type": "object",
        "properties": {
            "tasks": {
                "type": "array",
                "items": {"type": "string"},
                "minItems": 1,
                "maxItems": SUBTASKS_LIMIT,
                "description": "Their ids, as create_task gave them. Without any: all that this session created and "
                "has not waited for yet.",
            },
        },
        "additionalProperties": False,
    },
}
ASK_PERSON: dict[str, Any] = {
    "name": "ask_person",
    "description": (
        "Ask a person what only a person can decide or knows; the task waits for the answer, for hours or days. "
        "One question at a time, with all that is needed to answer it."
    ),
    "input_schema": {
        "type": "object",
        "properties": {"question": {"type": "string", "description": "At most 8 KB."}},
        "required": ["question"],
        "additionalProperties": False,
    },
}
FINISH: dict[str, Any] = {
    "name": "finish",
    "description": (
        "End the task with its result. Call it alone. Say done only of work that is whole and verified; anything less "
        "goes to a person, who reads your result and what would be needed."
    ),
    "input_schema": {
        "type": "object",
        "properties": {
            "outcome": {"type": "string", "enum": ["done", "partly", "not_possible"]},
            "result": {
                "type": "string",
                "description": "What was asked, answered in plain words; for partly and not_possible also the reason.",
            },
            "needed": {
                "type": "string",
                "description": "For partly and not_possible: what would be needed to get it done, at most 2 KB.",
            },
            "files": {
                "type": "array",
                "items": {"type": "string"},
                "description": "Names of files in /workspace itself to hand over, at most 20 of 10 MB in all.",
            },
        },
        "required": ["outcome", "result"],
        "additionalProperties": False,
    },
}
FILES_LIMIT = 10 * 1024 * 1024
"""Bytes of all files that a task hands over."""
_DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_WORDS, _MEANS = r"\S", "text that says something"


class _Task(Value, frozen=True, kw_only=True):
    title: str
    description: str
    files: Annotated[tuple[str, ...], Meta(max_length=20)] = ()


class _Question(Value, frozen=True, kw_only=True):
    question: Annotated[str, Meta(max_length=DESCRIPTION_LIMIT, pattern=_WORDS, description=_MEANS)]

    def __post_init__(self) -> None:
        require_short("question", self.question)


class _Wait(Value, frozen=True, kw_only=True):
    tasks: Annotated[tuple[Id, ...], Meta(max_length=SUBTASKS_LIMIT)] = ()


class _Finish(Value, frozen=True, kw_only=True):
    result: Annotated[str, Meta(max_length=64 * 1024, pattern=_WORDS, description=_MEANS)]
    files: Annotated[tuple[str, ...], Meta(max_length=20)] = ()
    # Sessions whose header an earlier release has pinned know no outcome.
    outcome: Literal["done", "partly", "not_possible"] = "done"
    needed: Annotated[str, Meta(max_length=2048)] = ""

    def __post_init__(self) -> None:
        if self.outcome != "done" and not self.needed.strip():
            raise Invalid("needed", f"missing: say what would be needed, the outcome is {self.outcome}")


def question(given: object) -> str:
    """Return what ask_person is to ask; raises `Invalid`."""
    return decode(_Question, given).question


def waited_for(given: object) -> list[str]:
    """Return the ids that wait_for_tasks names, none for all that were created; raises `Invalid`."""
    return [*dict.fromkeys(decode(_Wait, given).tasks)]


def create_task(
    sandbox: Sandbox, folder: Path, claim: Claim, money_left: int, tool_use_id: str, given: object
) -> Result:
    """Make the new task that the daemon is to queue: of the same priority, within what its parent has left. Its files
    are collected into a folder below `folder`. Its id comes from the call's, so that a replay makes no second one.
    Raises `Invalid` and `CallFailed`.
    """
    asked, parent = decode(_Task, given), claim.task
    if money_left <= 0:
        raise CallFailed("No budget is left for another task.")
    task = {
        "title": asked.title,
        "description": asked.description,
        "priority": parent.priority,
        "budget": {"sessions": max(parent.budget.sessions - parent.sessions_used, 1), "usd_micros": money_left},
        "parent": parent.id,
        "id": derived_id(claim.session.id, tool_use_id),
    }
    created = decode(NewTask, task)
    if asked.files:
        # Beside the journal: a record is for the page to read, and megabytes are not.
        folder.mkdir(mode=0o700, exist_ok=True)
    names = _collected(sandbox, asked.files, folder / str(created.id)) if asked.files else []
    return Result(
        f"Task {created.id} goes into the queue.", carries={"created": encode(created), "created_files": names}
    )


def finish(sandbox: Sandbox, folder: Path, given: object, copies: Repositories | None = None) -> Result:
    """Collect the files of a finished task into `folder`, its branches pushed before; raises `Invalid`, `CallFailed`:
    then nothing is final.
    """
    asked = decode(_Finish, given)
    branches = copies.deliver(check=asked.outcome == "done") if copies else []
    names = [*asked.files, *(name for branch in branches for name in branch.files)]
    # On disk before the journal says finished: the outcome is delivered with these files, after any crash.
    files = _collected(sandbox, names, folder)
    finished = {
        "outcome": asked.outcome,
        "result": "\n\n".join([asked.result, *(branch.said for branch in branches)]),
        "needed": asked.needed,
        "files": files,
    }
    said = "The task is finished." if asked.outcome == "done" else "It goes to a person, who decides how to go on."
    connections = [connection for branch in branches for connection in branch.connections]
    return Result(said, carries={"finished": finished, **({"connections": connections} if connections else {})})


def derived_id(session: str, tool_use_id: str) -> str:
    """Return an id in the shape of a ULID: the session's time, and a hash of the call."""
    # A ULID is 10 digits of time and 16 of chance, 5 bits each; here the hash's first 80 bits stand for chance.
    number = int.from_bytes(hashlib.sha256(f"{session} {tool_use_id}".encode()).digest()[:10])
    return session[:10] + "".join(_DIGITS[number >> shift & 31] for shift in range(75, -1, -5))


def _collected(sandbox: Sandbox, names: Iterable[str], folder: Path) -> list[str]:
    """Copy files of the workspace into a folder, and return their names once they are on disk."""
    folder.mkdir(mode=0o700, exist_ok=True)
    once, left = [*dict.fromkeys(names)], FILES_LIMIT
    for name in once:
        with tempfile.TemporaryFile(dir=folder) as draft:
            # Without a name: what is refused takes no earlier file's place.
            collect(sandbox, name, draft)
            left -= draft.tell()
            if left < 0:
                raise CallFailed("The files are over 10 MB together: hand over less, or compress them.")
            draft.seek(0)
            with (folder / name).open("wb") as out:
                shutil.copyfileobj(draft, out)
                out.flush()
                os.fsync(out.fileno())
    sync_folder(folder)
    return once
