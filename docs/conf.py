"""How `make docs` builds the site: from this folder, offline, each warning an error."""

import json
import sys
import tomllib
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

sys.path.insert(0, str(Path(__file__).parent))
import generated

ROOT = Path(__file__).parent.parent

project = "jada"
author = "the jada authors"
copyright = "the jada authors, MIT licence"  # noqa: A001 - Sphinx's name for it
version = release = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]

extensions = ["myst_parser"]
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3
nitpicky = True

html_theme = "furo"
html_title = f"jada {version}"
html_show_sphinx = False
html_copy_source = False
html_show_sourcelink = False
smartquotes = False  # commands are copied from these pages


class _Generated(SphinxDirective):
    """A directive whose content is Markdown made at build time."""

    source: Path

    def markdown(self) -> str:
        """Return the directive's content."""
        raise NotImplementedError

    def run(self) -> list[nodes.Node]:
        self.env.note_dependency(str(self.source))
        return self.parse_text_to_nodes(self.markdown(), allow_section_headings=True)


class SettingsPage(_Generated):
    """The settings of an example file, from its own comments."""

    source = ROOT / "jada.prod.toml"

    def markdown(self) -> str:
        """Return the page."""
        return generated.settings_page(self.source.read_text(encoding="utf-8"))


class ApiPage(_Generated):
    """The API, from its own description."""

    source = ROOT / "docs" / "api" / "openapi.json"

    def markdown(self) -> str:
        """Return the page."""
        return generated.api_page(json.loads(self.source.read_text(encoding="utf-8")))


def setup(app: Sphinx) -> None:
    """Make the directives known."""
    app.add_directive("settings-page", SettingsPage)
    app.add_directive("api-page", ApiPage)
