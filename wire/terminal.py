"""Text that others wrote, on its way to a terminal or into a log line: made so that it can only be read."""

# C0, DEL and C1: they clear the screen, colour it, set the window's title, or forge another line.
_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))}
# Line and paragraph separators; what reverses the direction of writing; lone surrogates, which no file can take.
_FORMATS = {
    code: f"\\u{code:04x}"
    for code in (0x2028, 0x2029, *range(0x202A, 0x202F), *range(0x2066, 0x206A), *range(0xD800, 0xE000))
}
_LINE = _CONTROLS | _FORMATS
_BLOCK = {code: shown for code, shown in _LINE.items() if code != ord("\n")}


def printable(text: str, *, keep_newlines: bool = False) -> str:
    r"""Return `text` with each character that acts on a terminal as a visible escape, such as `\x1b`.

    `keep_newlines` is for text that is shown as a block of its own, where another line deceives no reader.
    """
    return text.translate(_BLOCK if keep_newlines else _LINE)
