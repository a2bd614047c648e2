from typing import Annotated, Any

import pytest
from msgspec import Meta, Struct

from doubles.reading import Invalid, read, read_json


class Part(Struct, forbid_unknown_fields=True):
    size: Annotated[int, Meta(ge=0)]

    def __post_init__(self):
        if self.size == 13:
            raise Invalid("size", "is unlucky")


class Whole(Struct, forbid_unknown_fields=True):
    parts: list[Part]


@pytest.mark.parametrize(
    ("text", "field", "words"),
    [
        ('{"parts": [{"size": 1}, {"size": -1}]}', "parts[1].size", "Expected `int` >= 0"),
        ('{"parts": [{"size": true}]}', "parts[0].size", "Expected `int`, got `bool`"),
        ('{"parts": [{}]}', "parts[0].size", "missing"),
        ('{"parts": [], "more": 1}', "more", "unknown"),
        ('{"parts": [{"size": 13}]}', "size", "is unlucky"),
        ("[]", "body", "Expected `object`"),
    ],
)
def test_what_does_not_fit_is_refused_by_its_dotted_name(text, field, words):
    with pytest.raises(Invalid) as refused:
        read_json(Whole, text.encode("latin-1"))
    assert refused.value.field == field
    assert words in refused.value.reason


@pytest.mark.parametrize("text", [b"{", b'{"a": "\xff"}', b'{"a": ' + b"[" * 5000], ids=["cut", "no UTF-8", "deep"])
def test_what_is_no_json_is_refused(text):
    with pytest.raises(Invalid, match=r"^body: is not JSON"):
        read_json(dict[str, Any], text)


def test_plain_data_is_read_as_json_is():
    assert read(Whole, {"parts": [{"size": 1}]}) == read_json(Whole, b'{"parts": [{"size": 1}]}')
    with pytest.raises(Invalid, match=r"^parts: "):
        read(Whole, {"parts": None})
