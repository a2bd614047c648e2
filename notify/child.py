"""`python -m notify.child`: send one message to one target, as JSON on standard input says, and print how it ended.

The only module that imports apprise, which takes a second and 48 MB: a process of its own has them for one message.
Nothing that apprise says leaves it but a status: its lines hold addresses and passwords.
"""

import json
import logging
import re
import sys
from typing import Any

import apprise

_LEAST = 1000
"""Characters that a service must take at once for a long message to go to it in parts. Apprise waits up to 5.5 s before
each further one, and 30 s are all there is: one that takes 160 would get the first parts again and again.
"""
_STATUS = re.compile(r"error[=:]\s*([1-5][0-9]{2})\b")
_UNHEARD = re.compile("connection error", re.IGNORECASE)


class _Status(logging.Handler):
    """Keeps of each line only what the other side answered."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.answer = "not accepted, without a status"

    def emit(self, record: logging.LogRecord) -> None:
        """Look for a status."""
        said = record.getMessage()
        if found := _STATUS.search(said):
            self.answer = f"refused with status {found[1]}"
        elif _UNHEARD.search(said):
            self.answer = "no connection, or no answer in time"


def main() -> int:
    """Send; the result is a line of JSON, and the exit code 0 whatever it is."""
    order = json.load(sys.stdin)
    status = _listen()
    plugin = apprise.Apprise.instantiate(order["url"], asset=apprise.AppriseAsset(storage_mode="memory"))
    if plugin is None:
        result = {"delivered": False, "answer": "its URL is none that apprise knows"}
    else:
        _divide(plugin)
        delivered = _send(plugin, order)
        result = {"delivered": delivered, "answer": "accepted" if delivered else status.answer}
    sys.stdout.write(json.dumps(result))
    return 0


def _listen() -> _Status:
    """Take apprise's lines away from every other log."""
    status = _Status()
    logger = logging.getLogger("apprise")
    logger.handlers, logger.propagate = [status], False
    logger.setLevel(logging.WARNING)
    return status


def _divide(plugin: Any) -> None:
    """Have a message that is too long for a service sent in parts, unless its URL says otherwise: whole it would be
    refused, and tried for ever.
    """
    # Of the instance only where its URL, or the service by itself, says it.
    if "overflow_mode" not in vars(plugin) and plugin.body_maxlen >= _LEAST:
        plugin.overflow_mode = apprise.OverflowMode.SPLIT


def _send(plugin: Any, order: dict[str, str]) -> bool:
    # Web hooks take headers; for all others the id is in the subject.
    if isinstance(getattr(plugin, "headers", None), dict):
        plugin.headers |= {"Idempotency-Key": order["id"], "X-Jada-Message": order["id"]}
    return bool(plugin.notify(title=order["subject"], body=order["text"], body_format=apprise.NotifyFormat.TEXT))


if __name__ == "__main__":
    sys.exit(main())
