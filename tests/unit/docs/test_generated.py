"""The pages that are made from settings files and from OpenAPI say all that those hold."""

import importlib.util
import json
import re
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def generated():
    spec = importlib.util.spec_from_file_location("generated", ROOT / "docs" / "generated.py")
    module = sys.modules["generated"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    del sys.modules["generated"]


def flat(table, section=""):
    for key, value in table.items():
        name = f"{section}.{key}".lstrip(".")
        yield from flat(value, name) if isinstance(value, dict) else [((section, key), value)]


@pytest.mark.parametrize("file", ["jada.prod.toml", "jada.local.toml"])
def test_each_setting_is_there_with_its_value_and_says_what_it_does(generated, file):
    text = (ROOT / file).read_text()
    found = list(generated.settings(text))
    given = {(one.section.name, one.key): tomllib.loads(f"v = {one.value}")["v"] for one in found if one.given}
    assert given == dict(flat(tomllib.loads(text)))
    assert [one.key for one in found if not one.says] == []


def test_a_comment_belongs_to_the_keys_below_it_until_the_next(generated):
    text = '# Of it all.\n[part]\n# Both.\na = 1\nb = "#2"  # more\n\nc = [\n    "x",\n]  # last\n# d = 4\n'
    one = {each.key: each for each in generated.settings(text)}
    assert one["a"].section.says == "Of it all."
    assert [each.says for each in one.values()] == ["Both.", "Both. more", "last", ""]
    assert (one["b"].value, one["c"].value, one["d"].given) == ('"#2"', '["x"]', False)


def test_the_api_page_has_each_route_and_type_and_links_only_to_types(generated):
    document = json.loads((ROOT / "docs/api/openapi.json").read_text())
    page = generated.api_page(document)
    routes = [f"### {method.upper()} {path}\n" for path, methods in document["paths"].items() for method in methods]
    types = document["components"]["schemas"]
    assert all(heading in page for heading in [*routes, *(f"### {name}\n" for name in types)])
    assert set(re.findall(r"\]\(#(\w+)\)", page)) <= {name.lower() for name in types}
    assert "- `title`: string (length up to 200), required" in page
    assert "- `priority`: integer (0 to 9), `5` when left out" in page
