"""Text of others on its way to a terminal or log: what would forge a line, move the cursor or hide is shown."""

import re

_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_UNSAFE_BUT_NEWLINES = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def printable(text: str, *, keep_newlines: bool = False) -> str:
    r"""Return `text` with control characters, line separators and bidirectional controls as escapes like `\x1b`."""
    unsafe = _UNSAFE_BUT_NEWLINES if keep_newlines else _UNSAFE
    return unsafe.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
