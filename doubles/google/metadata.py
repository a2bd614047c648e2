"""Developer metadata of a spreadsheet: what programs note beside it, and users never see. That of rows, columns and
sheets is not built.
"""

import itertools
from collections.abc import Callable, Mapping
from typing import Any

from doubles.google.book import Book
from doubles.google.errors import invalid, not_built

Answer = dict[str, Any]
Args = Mapping[str, Any]
_LIMIT = 30_000
"""Characters of keys and values that a spreadsheet holds; Google's documented limit."""


def _create(book: Book, args: Args) -> Answer:
    wanted = args.get("developerMetadata", {})
    if wanted.get("location") != {"spreadsheet": True}:
        raise not_built("developer metadata of a sheet, row or column")
    for name in ("metadataKey", "visibility"):
        if not wanted.get(name):
            raise invalid(f"Developer metadata must specify a {name}.")
    number = wanted.get("metadataId") or next(n for n in itertools.count(1) if n not in book.metadata)
    if number < 1:
        raise invalid(f"metadataId must be positive: {number}")
    if number in book.metadata:
        raise invalid(f"Developer metadata with the ID {number} already exists.")
    made = {**wanted, "metadataId": number, "location": {"spreadsheet": True, "locationType": "SPREADSHEET"}}
    book.metadata = {**book.metadata, number: made}
    if sum(len(each["metadataKey"] + each.get("metadataValue", "")) for each in book.metadata.values()) > _LIMIT:
        raise invalid(f"Developer metadata of a spreadsheet is limited to {_LIMIT} characters.")
    return {"developerMetadata": made}


def _delete(book: Book, args: Args) -> Answer:
    lookup = args.get("dataFilter", {}).get("developerMetadataLookup")
    if lookup is None:
        raise invalid("Must specify a developerMetadataLookup.")
    if not lookup or lookup.keys() - {"metadataId", "metadataKey", "metadataValue"}:
        raise not_built("a lookup of developer metadata by its place or visibility")
    gone = {n: each for n, each in book.metadata.items() if all(each.get(k) == v for k, v in lookup.items())}
    book.metadata = {n: each for n, each in book.metadata.items() if n not in gone}
    return {"deletedDeveloperMetadata": [*gone.values()]} if gone else {}


KINDS: Mapping[str, Callable[[Book, Args], Answer]] = {
    "createDeveloperMetadata": _create,
    "deleteDeveloperMetadata": _delete,
}
