"""All tools: their definitions as the API gets them, the rules between the calls of one answer, and where each runs."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from agent.sandbox.run import Sandbox
from agent.settings import Settings
from agent.tools import bash, editor, people, repositories
from agent.tools.repositories import Repositories
from agent.tools.result import CallFailed, Result
from agent.tools.viewing import Viewer
from wire.types import Claim
from wire.values import Invalid

DEFINITIONS: list[dict[str, Any]] = [
    bash.DEFINITION,
    editor.DEFINITION,
    people.CREATE_TASK,
    people.ASK_PERSON,
    people.FINISH,
]
"""In the order in which every request carries them; a session's header pins them."""
REPEATABLE = frozenset(("create_task", "finish", repositories.NAME))
"""Calls that leave nothing half-done outside the journal: an interrupted one is simply run again."""


PAUSES: dict[str, Callable[[object], object]] = {
    "ask_person": people.question,
    "wait_for_tasks": people.waited_for,
}
"""Calls that suspend the session, once the others of their answer have results, and what reads their input."""


def definitions(settings: Settings, *, can_wait: bool = False) -> list[dict[str, Any]]:
    """Return the tools of a session under these settings; `can_wait`: its queue knows how tasks wait for others."""
    names = [*settings.repositories]
    waits = [people.WAIT] if can_wait else []
    return [*DEFINITIONS, *waits, *([repositories.definition(names)] if names else [])]


def refusal(name: str, given: object, at: int, names: Sequence[str]) -> str | None:
    """Say why call number `at` of an answer that calls `names` can't be run, None when it can."""
    if name == "finish" and len(names) > 1:
        return "finish must be the only call of an answer: look at the other results first."
    if name not in PAUSES:
        return None
    if not PAUSES.keys().isdisjoint(names[:at]):
        return "One at a time: call this one when the other has its answer."
    try:
        PAUSES[name](given)
    except Invalid as error:
        return str(error)
    return None


class Toolbox:
    """The tools of one session. `folder` is the session's own; `money_left` gives micro-dollars; `copies` are the
    repositories that settings name, None without any; `viewer` shows images and documents.
    """

    def __init__(
        self,
        sandbox: Sandbox,
        folder: Path,
        claim: Claim,
        money_left: Callable[[], int],
        copies: Repositories | None = None,
        viewer: Viewer | None = None,
    ) -> None:
        self._sandbox = sandbox
        shell = bash.Bash(sandbox, folder / "shell")
        self._run: dict[str, Callable[[str, Any], Result]] = {
            "bash": lambda _id, given: shell.run(given),
            "str_replace_based_edit_tool": lambda _id, given: editor.edit(sandbox, given, viewer),
            "create_task": lambda call, given: people.create_task(
                sandbox, folder / "created", claim, money_left(), call, given
            ),
            "finish": lambda _id, given: people.finish(sandbox, folder / "files", given, copies),
        }
        if copies:
            self._run[repositories.NAME] = lambda _id, given: copies.open(given)

    def run(self, tool_use_id: str, name: str, given: object) -> Result:
        """Run a call to its result; what is wrong with it, the model reads. The next call's sandbox is begun behind
        it, and stands when the model has thought.
        """
        if name not in self._run:
            return Result(f"There is no tool {name}; there are {', '.join([*self._run, *PAUSES])}.", is_error=True)
        try:
            result = self._run[name](tool_use_id, given)
        except (CallFailed, Invalid) as error:
            result = Result(str(error), is_error=True)
        if "finished" not in result.carries:
            self._sandbox.prepare()
        return result
