"""One call of the API, as its handler gets it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from doubles.google.book import Book


@dataclass(frozen=True, slots=True)
class Call:
    """A spreadsheet (its own copy when the call writes), and the values of path, query and body.

    `base` is the double's URL; `account` is whose call it is, "" for the owner of every spreadsheet.
    """

    book: Book
    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, Any] = field(default_factory=dict)
    body: Mapping[str, Any] = field(default_factory=dict)
    base: str = ""
    account: str = ""
