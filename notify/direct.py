"""Messages past the outbox, to all targets at once: a test, and what the dashboard cannot keep."""

import hashlib
import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from notify.send import AT_ONCE, Result
from notify.sender import Send
from wire.secret import Secret
from wire.types import Message


def message(message_id: str, subject: str, text: str) -> Message:
    """Make a message with its id in its subject."""
    return Message(id=message_id, target="", subject=f"[jada] {subject} ({message_id})", text=text)


def on(subject: str, host: str) -> str:
    """Return a subject with the host that it is of, as operators call it, where that is known."""
    return f"{subject} on {host}" if host else subject


def test_message(now: float) -> Message:
    """Make the message of a test, an id of its own for each."""
    text = "This is a test of jada's notifications. What waits for you comes to this place."
    return message(f"test.{int(now)}", "Test", text)


def send_all(targets: Mapping[str, Secret], sent: Message, send: Send) -> dict[str, Result]:
    """Send a message to every target, to some at once; return each one's answer."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return dict(zip(targets, pool.map(lambda url: send(url, sent), targets.values()), strict=True))


class Tested:
    """Which targets took a test, kept in a file as digests of their URLs."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def holds(self, targets: Mapping[str, Secret]) -> bool:
        """Whether one of these targets took a test."""
        return bool(self._read() & {_digest(url) for url in targets.values()})

    def keep(self, targets: Mapping[str, Secret], results: Mapping[str, Result]) -> None:
        """Keep a test's results; a target that failed now counts as tested no more."""
        passed = {_digest(targets[name]) for name, result in results.items() if result.delivered}
        self._path.write_text(json.dumps(sorted(passed)), encoding="utf-8")

    def _read(self) -> set[str]:
        try:
            return set(json.loads(self._path.read_text(encoding="utf-8")))
        except (OSError, ValueError):
            return set()


def _digest(url: Secret) -> str:
    return hashlib.sha256(url.reveal().encode()).hexdigest()
