"""Search by whole words: what counts as one, and what is typed as a query that can only name words. Pure.

SQLite's FTS5 splits texts by its tokenizer `unicode61 remove_diacritics 2`; `matches` says the same in plain code, for
the store in memory.
"""

import unicodedata
from collections.abc import Iterator

from wire.values import Invalid


def query(typed: str) -> str:
    """Return an FTS5 query that finds texts with each of the words typed.

    Each is quoted: AND, NEAR, *, ^ and a column's name are words like others. One that is joined, like `a-b`, is a
    phrase. Raises `Invalid`.
    """
    return " ".join('"' + part.replace('"', '""') + '"' for part in _parts(typed))


def matches(typed: str, text: str) -> bool:
    """Whether a text has each of the words typed; case and accents make no difference. Raises `Invalid`."""
    held = tokens(text)
    return all(_is_within(tokens(part), held) for part in _parts(typed))


def tokens(text: str) -> list[str]:
    """Return the words of a text, lower case and without accents."""
    folded = [letter for letter in unicodedata.normalize("NFD", text.lower()) if not unicodedata.combining(letter)]
    return "".join(letter if letter.isalnum() else " " for letter in folded).split()


def _parts(typed: str) -> Iterator[str]:
    parts = [part for part in typed.split() if tokens(part)]
    if not parts:
        raise Invalid("words", "has no word: search for letters or digits")
    yield from parts


def _is_within(wanted: list[str], held: list[str]) -> bool:
    starts = range(len(held) - len(wanted) + 1)
    return any(held[start : start + len(wanted)] == wanted for start in starts)
