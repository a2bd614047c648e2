from typing import Annotated

import pytest
from msgspec import Meta

from wire.settings_file import load
from wire.values import Invalid, Value, decode


class Part(Value, frozen=True, kw_only=True):
    count: Annotated[int, Meta(ge=0, le=9)] = 1


def read(section):
    return decode(Part, section, "part")


@pytest.mark.parametrize(("text", "reason"), [(None, "can't be read"), ("a = ", "is not valid TOML"), ("\xff", "TOML")])
def test_a_settings_file_that_is_none_is_named(tmp_path, text, reason):
    path = tmp_path / "jada.local.toml"
    if text is not None:
        path.write_bytes(text.encode("latin-1"))
    with pytest.raises(Invalid) as refusal:
        load(path, "part", read)
    assert refusal.value.field == str(path)
    assert reason in refusal.value.reason


def test_an_absent_section_is_all_defaults(tmp_path):
    (tmp_path / "jada.local.toml").write_text("[other]\ncount = 99\n")
    assert load(tmp_path / "jada.local.toml", "part", read) == Part()


def test_a_wrong_value_is_named_with_its_section(tmp_path):
    (tmp_path / "jada.local.toml").write_text("[part]\ncount = 99\n")
    with pytest.raises(Invalid, match=r"part\.count: must be at most 9"):
        load(tmp_path / "jada.local.toml", "part", read)
