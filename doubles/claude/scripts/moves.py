"""What all scripted models can do: run a command, write a program, hand over, finish."""

import importlib.resources
from collections.abc import Sequence

from doubles.claude.answer import Call, Reply
from doubles.claude.conversation import Conversation

_GO_ON = "go on from the files in the workspace"
MOST_FAILURES = 3
"""Calls failed in a row after which a script gives up instead of running into its turn limit."""


def bash(command: str) -> Call:
    """Run a command in the workspace."""
    return Call("bash", {"command": command})


def write(program: str) -> str:
    """Return the command that writes one of our programs into the workspace under its own name."""
    text = importlib.resources.files("doubles.claude.scripts.programs").joinpath(program).read_text("utf-8")
    return f"cat > {program} <<'END_OF_PROGRAM'\n{text}END_OF_PROGRAM"


def finish(result: str, files: Sequence[str] = ()) -> Call:
    """Hand over the result, with files of the workspace."""
    return Call("finish", {"outcome": "done", "result": result, "files": list(files)})


def in_steps(talk: Conversation, steps: Sequence[Reply], last: Call) -> Reply:
    """Take one step after another, a failed one again; then `last`. Gives up when too much fails."""
    taken = done(talk)
    return given_up(talk) or (steps[taken] if taken < len(steps) else (last,))


def done(talk: Conversation) -> int:
    """Return how many calls went well."""
    return sum(not result.is_error for result in talk.results)


def given_up(talk: Conversation) -> Reply:
    """Finish by saying what fails, when the last calls all failed; nothing otherwise."""
    # Without this a script would repeat a failing call until the turn limit, and spend a session on it.
    latest = talk.results[-MOST_FAILURES:]
    if len(latest) < MOST_FAILURES or not all(result.is_error for result in latest):
        return ()
    result = f"It could not be done: {latest[-1].text.strip()[:500]}"
    needed = "The last calls all failed: what they needed has to be put right."
    return (Call("finish", {"outcome": "not_possible", "result": result, "needed": needed}),)


def output(talk: Conversation, start: str) -> str:
    """Return the latest line of all results that begins with `start`, without it; empty when there is none."""
    lines = [line for result in talk.results for line in result.text.splitlines() if line.startswith(start)]
    return lines[-1].removeprefix(start).strip() if lines else ""


def asked_to_hand_over(talk: Conversation) -> bool:
    """Whether the last message asks for a checkpoint, in words beside the tools' results."""
    return talk.answers > 0 and "checkpoint" in talk.last.lower()


def handed_over(talk: Conversation) -> bool:
    """Whether a session before this one left a checkpoint."""
    return "left this checkpoint" in talk.first or _GO_ON in talk.first


def checkpoint(talk: Conversation) -> Reply:
    """Hand over to the next session."""
    so_far = talk.results[-1].text.strip()[-600:] if talk.results else "nothing yet"
    files = sorted(
        {word for result in talk.results for word in result.text.split() if word.endswith((".csv", ".json"))}
    )
    asked = talk.first.strip().splitlines()[0]
    text = (
        f"Asked: {asked}\nDone: {len(talk.results)} tool calls; the latest said: {so_far}\n"
        f"Found: nothing that is not in a file.\nDecided: to go on in the same way.\n"
        f"Next: {_GO_ON}.\nFiles: {', '.join(files) or 'see the workspace'}"
    )
    return (text,)
