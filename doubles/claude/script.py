"""A script that a user writes: which answers a conversation gets, and before which of them the API has a bad day.

A TOML or JSON file:

    [[conversation]]
    match = "Weekly report"              # a part of the first user message; the first conversation that fits is played
    [[conversation.answer]]              # the answer to the first request
    text = "I'll look."
    calls = [{ name = "bash", input = { command = "ls" } }]
    [[conversation.answer]]              # to the second one, and so on
    fault = { status = 529 }             # met once (`times`) before the answer is given; the fields of /_local/faults
    text = "Done."
    stop_reason = "refusal"              # where it is not what follows from the answer

Instead of text and calls, `blocks` has the content as it is; thinking is signed where no signature is given. A
conversation that asks for more answers than there are gets a 501 that says so; one that fits none is played by the
built-in scripts.
"""

import json
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec

from doubles.claude.answer import Call, Part, Raw, Reply
from doubles.claude.conversation import Conversation
from doubles.claude.errors import ApiError
from doubles.claude.faults import Fault
from doubles.reading import Invalid

StopReason = Literal[
    "end_turn", "max_tokens", "stop_sequence", "tool_use", "pause_turn", "refusal", "model_context_window_exceeded"
]


class Called(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A tool that an answer calls; `id` is made where it is not given."""

    name: str
    input: dict[str, Any] = msgspec.field(default_factory=dict)
    id: str | None = None


class Answer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One answer: a text and calls, or blocks as they are; why it stops; the bad day before it."""

    text: str | None = None
    calls: tuple[Called, ...] = ()
    blocks: tuple[dict[str, Any], ...] = ()
    stop_reason: StopReason | None = None
    fault: Fault | None = None

    def reply(self) -> Reply:
        """Return its parts, in their order."""
        parts: list[Part] = [Raw(block) for block in self.blocks]
        parts += [self.text] if self.text is not None else []
        return (*parts, *(Call(one.name, one.input, one.id) for one in self.calls))


class Talk(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A conversation, known by a part of its first message, with its answers."""

    answer: tuple[Answer, ...]
    match: str = ""


class Script(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Conversations, of which the first that fits is played."""

    conversation: tuple[Talk, ...] = ()

    def find(self, talk: Conversation) -> tuple[str, Answer] | None:
        """Return the answer that a conversation is due for, and a name for it; None where no script fits.

        Raises `ApiError` 501 where the script is at its end.
        """
        for number, one in enumerate(self.conversation):
            if one.match not in talk.first:
                continue
            if talk.answers >= len(one.answer):
                said = f"the script's conversation {one.match!r} has {len(one.answer)} answers"
                raise ApiError(501, f"{said}, and one more is asked for")
            return f"{number}.{talk.answers}", one.answer[talk.answers]
        return None


@dataclass(frozen=True, slots=True)
class Played:
    """What a script answers, why it stops where it says so, and the bad day that comes first, with its place."""

    reply: Reply
    stop_reason: str | None = None
    fault: Fault | None = None
    place: str = ""


def load(path: Path) -> Script:
    """Read a script; raises `Invalid`, which names the file and what is wrong in it."""
    try:
        text = path.read_text(encoding="utf-8")
        data = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
        script = msgspec.convert(data, Script)
    except OSError as error:
        raise Invalid("", f"{path}: {error.strerror}") from error
    except (ValueError, msgspec.ValidationError) as error:
        raise Invalid("", f"{path}: {error}") from error
    for talk in script.conversation:
        for written in talk.answer:
            # An answer says by its place what it is for, and a script has no one to release what is held.
            if written.fault and (written.fault.hold or written.fault.match or written.fault.turn):
                raise Invalid("", f"{path}: hold, match and turn are for /_local/faults, not for a script's fault")
    return script
