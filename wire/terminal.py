"""Text that others wrote, on its way to a terminal or into a log line: made so that it can only be read."""

import re

# C0, DEL and C1 clear the screen, colour it, set the window's title, or forge another line; so do line and paragraph
# separators; then what reverses the direction of writing, and lone surrogates, which no file can take.
_ACTING = "\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff"
# Not str.translate: its table of all surrogates takes 0.4 MB in every process of the host.
_BLOCK = re.compile(f"[{_ACTING}]")
_LINE = re.compile(f"[\n{_ACTING}]")


def printable(text: str, *, keep_newlines: bool = False) -> str:
    r"""Return `text` with each character that acts on a terminal as a visible escape, such as `\x1b`.

    `keep_newlines` is for text that is shown as a block of its own, where another line deceives no reader.
    """
    return (_BLOCK if keep_newlines else _LINE).sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}"
