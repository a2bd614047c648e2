"""What a session hands over: asked of the model in its last turn, or put together from the journal without it."""

import json
from collections.abc import Sequence

from agent.session.request import Answer, Block, calls, header
from wire.types import Event, EventKind

ASK: Block = {
    "type": "text",
    "text": (
        "[jada: this is the session's last turn. A new session goes on with the task; it sees the workspace and the "
        "checkpoint that you write now, nothing else. Write it as text, in these parts:\n"
        "Asked: what the task wants.\nDone: what is finished, and where it is.\nFound: what you learnt that is not in "
        "a file.\nDecided: what you chose, and why.\nNext: the next steps.\nFiles: the files that matter.\n"
        "If all is done, call finish instead. No other call is run now.]"
    ),
}
_HEAD, _CALLS = 400, 8
"""Characters kept of a text, and calls listed: the next session's first request stays under 10,000 tokens."""


def from_answer(answer: Answer, events: Sequence[Event]) -> str:
    """Return the model's own words, or those of `from_journal` when it had none."""
    return answer.text or from_journal(events)


def from_journal(events: Sequence[Event]) -> str:
    """Return what can be said without the model: its last words, and its last calls with how they ended."""
    answers = [event.data["message"] for event in events if event.kind is EventKind.SETTLE]
    results = {e.data["tool_use_id"]: e.data for e in events if e.kind is EventKind.TOOL_RESULT}
    words = [block["text"] for message in answers for block in message["content"] if block["type"] == "text"]
    done = [
        f"- {call.name} {_head(json.dumps(call.input, ensure_ascii=False))}\n  {_outcome(results.get(call.id))}"
        for message in answers
        for call in calls(message)
    ]
    return "\n".join(
        [
            "(Put together from the journal: the session ended before its model could hand over.)",
            f"Asked: {header(events)['task']['title']}",
            f"Last words: {_head(words[-1], 4 * _HEAD) if words else 'none'}",
            f"The last of {len(done)} tool calls:" if done else "No tool was called.",
            *done[-_CALLS:],
            "Next: look at the workspace, which holds all that was written.",
        ]
    )


def _outcome(result: dict[str, str] | None) -> str:
    return "not run, or interrupted" if result is None else _head(result["content"])


def _head(text: str, most: int = _HEAD) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[:most]} …"
