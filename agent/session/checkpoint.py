"""What a session hands over: asked of the model in its last turn, or put together from the journal without it."""

import json
import re
from collections.abc import Sequence

from agent.record import media
from agent.session.request import Answer, Block, calls, header
from wire.types import Event, EventKind

PARTS = ("Asked", "Done", "Found", "Decided", "Next", "Files")
ASK: Block = {
    "type": "text",
    "text": (
        "[jada: this is the session's last turn, and tools are off: no call but finish is run now. A new session goes "
        "on with the task; it sees the workspace and the checkpoint that you write now, nothing else. Write all of it "
        "here as text, not into a file, in these parts, each beginning with its word:\n"
        "Asked: what the task wants.\nDone: what is finished, and where it is.\nFound: what you learnt that is not in "
        "a file.\nDecided: what you chose, and why.\nNext: the next steps.\nFiles: the files that matter.\n"
        "If all is done, call finish instead.]"
    ),
}
REFUSED = "(Put together from the journal: the API refused the conversation as it stood.)"
"""A checkpoint's mark: the next session's own conversation is not handed over again for this."""
_PEOPLE, _PEOPLE_END = "What people said, in their words:", "(Here end the words of people.)"
# At the beginning, behind why it was put together at most: further down it would be another's words about people's.
_PARTED = re.compile(rf"((?:\([^\n]*\)\n)?){re.escape(_PEOPLE)}\n(.*?)\n{re.escape(_PEOPLE_END)}\n*(.*)", re.DOTALL)
_LEFT_OUT = re.compile(rf"\n(?:{re.escape(_PEOPLE_END)}|\[\d+ bytes left out\]\n)")
_CHANGES = ("create", "str_replace", "insert")
_HEAD, _CALLS, _FILES = 400, 8, 20
"""Characters kept of a text, calls and files listed: the next session's first request stays under 10,000 tokens."""


def from_answer(answer: Answer, events: Sequence[Event]) -> str:
    """Return the model's own words where they have all parts, with what people said and the journal's facts around
    them; words that lack parts are no checkpoint, and only quoted.
    """
    missing = [part for part in PARTS if not re.search(rf"^\W*{part}\b", answer.text, re.MULTILINE | re.IGNORECASE)]
    if missing:
        return _put_together(events, f"(The session's model left no whole checkpoint: it lacks {', '.join(missing)}.)")
    return "\n\n".join(part for part in (_people(events), answer.text, _facts(events)) if part)


def from_journal(events: Sequence[Event], *, refused: bool = False) -> str:
    """Return what can be said without the model: its last words, and what the journal knows. `refused`: the API does
    not take the conversation.
    """
    why = "(Put together from the journal: the session ended before its model could hand over.)"
    return _put_together(events, REFUSED if refused else why)


def follows_refusal(events: Sequence[Event]) -> bool:
    """Whether the session began from a conversation that the API had refused."""
    return REFUSED in _first_words(events)


def parted(text: str) -> tuple[str, str]:
    """Return what people said, by a checkpoint, and the rest of it."""
    found = _PARTED.fullmatch(text)
    return (found[2], found[1] + found[3]) if found else ("", text)


def marked(said: str) -> str:
    """Return words of people so that a model sees where they begin and end."""
    return f"{_PEOPLE}\n{said}\n{_PEOPLE_END}"


def _put_together(events: Sequence[Event], why: str) -> str:
    words = [block["text"] for message in _answers(events) for block in message["content"] if block["type"] == "text"]
    parts = [
        why,
        _people(events),
        f"Asked: {header(events)['task']['title']}",
        f"Last words: {_head(words[-1], 4 * _HEAD) if words else 'none'}",
        _facts(events) or "No tool was called.",
        "Next: look at the workspace, which holds all that was written.",
    ]
    return "\n".join(part for part in parts if part)


def _people(events: Sequence[Event]) -> str:
    """Return what people answered and noted, to earlier sessions too: asking them again would be an insult."""
    said = [earlier] if (earlier := _earlier(events)) else []
    asked = {call.id: str(call.input.get("question")) for message in _answers(events) for call in calls(message)}
    for event in events:
        if event.kind is EventKind.ANSWER:
            question = asked.get(event.data["tool_use_id"], "a question")
            said.append(f"- Asked: {_head(question)}\n  Answered: {event.data['text']}")
        elif event.kind is EventKind.MESSAGE and event.data.get("note"):
            said.append("- " + "\n".join(block["text"] for block in event.data["content"]))
    return marked("\n".join(said)) if said else ""


def _earlier(events: Sequence[Event]) -> str:
    """Return what people said to earlier sessions: whole, as it is on record beside the first message."""
    first = next((event.data for event in events if event.kind is EventKind.MESSAGE), {})
    if "people" in first:
        return str(first["people"])
    # A session that an earlier release began: what its model read, without what was cut out and came behind that.
    return _LEFT_OUT.split(_first_words(events).partition(f"{_PEOPLE}\n")[2])[0]


def _facts(events: Sequence[Event]) -> str:
    """Return what was run and which files were changed, as the journal has it."""
    results = {e.data["tool_use_id"]: e.data for e in events if e.kind is EventKind.TOOL_RESULT}
    made = [call for message in _answers(events) for call in calls(message) if call.name != "ask_person"]
    done = [
        f"- {call.name} {_head(json.dumps(call.input, ensure_ascii=False))}\n  {_outcome(results.get(call.id))}"
        for call in made
    ]
    paths = dict.fromkeys(
        str(call.input["path"]) for call in made if call.input.get("command") in _CHANGES and "path" in call.input
    )
    changed = f"Files changed by the editor: {_head(', '.join([*paths][-_FILES:]), 4 * _HEAD)}" if paths else ""
    seen = dict.fromkeys(media.caption(one) for one in media.shown(events))
    viewed = f"Images and documents that were shown: {_head('; '.join(seen), 4 * _HEAD)}" if seen else ""
    listed = "\n".join([f"From the journal, the last of {len(done)} tool calls:", *done[-_CALLS:]]) if done else ""
    return "\n".join(part for part in (changed, viewed, listed) if part)


def _answers(events: Sequence[Event]) -> list[Block]:
    return [event.data["message"] for event in events if event.kind is EventKind.SETTLE]


def _first_words(events: Sequence[Event]) -> str:
    """Return what the model read first, the checkpoint before this session among it."""
    first: list[Block] = next((event.data["content"] for event in events if event.kind is EventKind.MESSAGE), [])
    return "\n".join(block["text"] for block in first if block["type"] == "text")


def _outcome(result: dict[str, str] | None) -> str:
    return "not run, or interrupted" if result is None else _head(result["content"])


def _head(text: str, most: int = _HEAD) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[:most]} …"
