"""What a tool call comes to."""

from dataclasses import dataclass, field
from typing import Any

from agent.sandbox.run import Outcome

OUT_OF_MEMORY = "[out of memory: the kernel ended processes of this call; work on less at a time]"


@dataclass(frozen=True, slots=True)
class Result:
    """The text that answers a call, whether it reports an error, and what else the journal's record carries."""

    content: str
    is_error: bool = False
    carries: dict[str, Any] = field(default_factory=dict)


class CallFailed(Exception):
    """A call that can't be done, in words that help the model to do better; becomes an error result."""


def text(outcome: Outcome) -> str:
    """Return a program's output as text a request can carry: UTF-8, no NUL, what was left out said in its place."""
    middle = f"\n[{outcome.left_out} bytes left out]\n" if outcome.left_out else ""
    return (
        (_decoded(outcome.head) + middle + _decoded(outcome.tail)) if middle else _decoded(outcome.head + outcome.tail)
    )


def _decoded(data: bytes) -> str:
    return data.decode(errors="replace").replace("\0", "\N{REPLACEMENT CHARACTER}")
