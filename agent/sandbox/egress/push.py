"""The head of a push: which references git asks a server to change, read before anything of it is passed on
(gitprotocol-pack, "Reference Update Request"; gitprotocol-common, "pkt-line Format").
"""

from agent.sandbox.egress.rules import EgressRefused

BRANCHES = b"refs/heads/jada/"
"""Where a push may create or update branches."""
HEAD_LIMIT = 64 * 1024
"""Bytes that the commands of a push may take: some 500 branches."""
# The id of no object, in SHA-1 and in SHA-256: as the new one of a branch it deletes that.
_NOTHING = (b"0" * 40, b"0" * 64)
# Hexadecimal digits before each line; they count themselves, so that a line has more.
_LENGTH = 4


class PushHead:
    """Takes the body of a push as it comes, until its commands are known; raises `EgressRefused`."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._left = b""
        self._commands = 0
        self.seen = b""
        """All that was taken: it is passed on once the head is whole."""
        self.whole = False

    def take(self, data: bytes) -> None:
        """Look at more of the body, up to the flush that ends the commands."""
        self.seen += data
        self._left += data
        while not self.whole and (line := self._line()) is not None:
            self._look(line)
        if not self.whole and len(self.seen) > HEAD_LIMIT:
            raise self._no("has commands of more than 64 KB")

    def end(self) -> None:
        """Say that no more comes: what has no commands is passed on only as git's own question whether it may."""
        if not self.whole:
            raise self._no("ends before its commands do")

    def _line(self) -> bytes | None:
        """Return the next packet line, b"" for a flush; None while it is not whole."""
        if len(self._left) < _LENGTH:
            return None
        digits = self._left[:_LENGTH]
        # int() takes "+00f" and "0_0f" as well: two readers must not see two lengths.
        if not all(digit in b"0123456789abcdefABCDEF" for digit in digits):
            raise self._no("is no push of git's")
        length = int(digits, 16)
        if length == 0:
            self._left = self._left[_LENGTH:]
            return b""
        if length <= _LENGTH:
            raise self._no("is no push of git's")
        if len(self._left) < length:
            return None
        line, self._left = self._left[_LENGTH:length], self._left[length:]
        return line

    def _look(self, line: bytes) -> None:
        if not line:
            self.whole = True
            if not self._commands and self._left:
                raise self._no("carries something without a command")
            return
        command, _, capabilities = line.rstrip(b"\n").partition(b"\0")
        if command.startswith(b"shallow ") and not self._commands:
            return
        # By options servers open merge requests, or pass the checks by.
        if b"push-options" in capabilities.split() or command.startswith(b"push-cert"):
            raise self._no("has options or a certificate, which are refused")
        self._commands += 1
        match command.split(b" "):
            case [old, new, ref] if len(old) == len(new):
                self._require_ours(new, ref)
            case _:
                raise self._no("is no push of git's")

    def _require_ours(self, new: bytes, ref: bytes) -> None:
        name = ref.decode("utf-8", "replace")
        if new in _NOTHING:
            raise self._no(f"would delete {name}: a push may only create or update branches of jada/")
        if not ref.startswith(BRANCHES) or ref == BRANCHES:
            raise self._no(f"would change {name}: a push may only create or update branches of jada/")

    def _no(self, why: str) -> EgressRefused:
        return EgressRefused(self._what, why)
