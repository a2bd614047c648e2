import unicodedata

import pytest

from wire.terminal import printable

BIDIRECTIONAL = [chr(code) for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))]
SEPARATORS = ["\u2028", "\u2029"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J", r"\x1b[2J"),
        ("a\rb", r"a\x0db"),
        ("a\nb", r"a\x0ab"),
        ("a\tb", r"a\x09b"),
        ("\x7f\x9b31m", r"\x7f\x9b31m"),
        ("abc\u202etxt.exe", r"abc\u202etxt.exe"),
        ("one\u2028two", r"one\u2028two"),
        ("half \ud83d", r"half \ud83d"),
    ],
)
def test_what_acts_on_a_terminal_is_shown_as_an_escape(text, shown):
    assert printable(text) == shown


def test_no_character_that_acts_on_a_terminal_is_forgotten():
    controls = [character for character in map(chr, range(0x110000)) if unicodedata.category(character) == "Cc"]
    for character in [*controls, *BIDIRECTIONAL, *SEPARATORS]:
        assert printable(character).isascii()
        assert printable(character).startswith("\\")


def test_a_block_keeps_its_newlines_and_nothing_else():
    assert printable("one\ntwo\r\n\x1b", keep_newlines=True) == "one\ntwo\\x0d\n\\x1b"


@pytest.mark.parametrize("text", ["", "Grüße, 東京 עברית 🙂", r"C:\x1b", "[bold]"])
def test_what_can_only_be_read_stays(text):
    assert printable(text) == printable(text, keep_newlines=True) == text


def test_what_is_shown_can_be_printed_anywhere():
    printable("".join(map(chr, range(0x110000)))).encode()
