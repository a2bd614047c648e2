"""One message to one target, by a child process that is killed when it takes too long."""

import json
import subprocess
import sys
from dataclasses import dataclass

from wire.secret import Secret
from wire.types import Message

AT_ONCE = 2
"""Messages under way at once. A child has 40 MB of its own: a third one would leave the sender's unit too little to
spare of its 150 MB.
"""
LIMIT_S = 30
"""Apprise's own limits are for each read: a receiver that drips holds it for ever."""


@dataclass(frozen=True, slots=True)
class Result:
    """Whether a message was taken, and the other side's answer."""

    delivered: bool
    answer: str


def send(url: Secret, message: Message, limit_s: float = LIMIT_S) -> Result:
    """Send; never raises for what the other side does."""
    order = {"url": url.reveal(), "id": message.id, "subject": message.subject, "text": message.text}
    # No error output: a traceback may show the URL.
    child = [sys.executable, "-m", "notify.child"]
    try:
        done = subprocess.run(
            child, input=json.dumps(order).encode(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            timeout=limit_s, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return Result(delivered=False, answer=f"no answer within {limit_s:g} s")
    try:
        return Result(**json.loads(done.stdout))
    except (ValueError, TypeError):
        return Result(delivered=False, answer=f"the program that sends ended with {done.returncode}")
