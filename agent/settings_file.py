"""The worker's section of a settings file, read from disk, with the folder that it names beside itself."""

from pathlib import Path

from msgspec.structs import replace

from agent.settings import Settings, read
from wire.settings_file import load


def installed(path: Path) -> Settings:
    """Read the settings of a release: a deploy puts what they name beside themselves into its folder `reference`.

    The path inside that very release, not through a link: a session keeps its folder while another is switched to.
    Raises `Invalid`, which names the key.
    """
    return _placed(path, path.resolve().parents[1] / "reference")


def beside(path: Path) -> Settings:
    """Read the settings where an operator edits them. Raises `Invalid`, which names the key."""
    return _placed(path, path.absolute().parent)


def _placed(path: Path, folder: Path) -> Settings:
    settings = load(path, "agent", read)
    # A whole path stays as it is when it is joined to a folder.
    return replace(settings, reference=str(folder / settings.reference)) if settings.reference else settings
