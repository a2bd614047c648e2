"""What a session that waited for subtasks is told of them: their results in its conversation, their files in its
workspace. Pure.
"""

from collections.abc import Iterator, Sequence

from agent.session.request import cut
from wire.types import SUBTASKS_LIMIT, Claim, Event, File, Subtask, Waited
from wire.values import Invalid

TOLD = 32_000
"""Bytes of all results that the conversation carries; one that is longer lies in the workspace whole."""
_WORDS = {"done": "done", "failed": "failed", "cancelled": "cancelled by a person"}


def awaited(events: Sequence[Event], call: str, asked: Sequence[str]) -> list[str]:
    """Return the tasks that a call waits for: those that it asks for, else all that the session created and has not
    waited for by another call. Raises `Invalid`.
    """
    if asked:
        return [*asked]
    made = [event.data["created"]["id"] for event in events if event.data.get("created")]
    waits = [event.data["wait"] for event in events if event.data.get("wait")]
    before = {name for wait in waits if wait["tool_use_id"] != call for name in wait["tasks"]}
    left = [name for name in made if name not in before]
    if not left:
        raise Invalid("tasks", "missing: this session created none that it has not waited for")
    if len(left) > SUBTASKS_LIMIT:
        raise Invalid("tasks", f"missing: name at most {SUBTASKS_LIMIT} of {', '.join(left)}")
    return left


def files(claim: Claim) -> list[File]:
    """Return what is laid out in the workspace: each subtask's files, under names that begin with its id, and its
    result where it is cut in the text.
    """
    return [file for each in claim.waited.subtasks for file in _files(each, claim.waited)] if claim.waited else []


def report(waited: Waited) -> str:
    """Return how the subtasks ended, in the order in which they were waited for."""
    return "\n\n".join(["They are over:", *(_ending(each, waited) for each in waited.subtasks)])


def _ending(subtask: Subtask, waited: Waited) -> str:
    state = subtask.state.value
    said = [f"Task {subtask.id} {subtask.title}".strip() + f": {_WORDS.get(state, state)}."]
    if subtask.reason:
        said.append(f"Reason: {cut(subtask.reason, 2000)}")
    if subtask.result:
        said.append(f"Its result:\n{cut(subtask.result, _share(waited))}")
    listed = [f"{file.name}, {len(file.content)} bytes" for file in _files(subtask, waited)]
    said += [f"In /workspace: {'; '.join(listed)}"] if listed else []
    missing = [f"{info.name}, {info.size} bytes" for info in subtask.left_out]
    said += [f"Too large to come along, a person can fetch it: {'; '.join(missing)}"] if missing else []
    return "\n".join(said)


def _files(subtask: Subtask, waited: Waited) -> Iterator[File]:
    result = subtask.result.encode()
    if len(result) > _share(waited):
        yield File(name=f"result-{subtask.id}.txt", content=result)
    for file in subtask.files:
        yield File(name=f"{subtask.id}-{file.name}", content=file.content)


def _share(waited: Waited) -> int:
    return TOLD // max(len(waited.subtasks), 1)
