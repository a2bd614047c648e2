"""The environment in which `pulumi`, `fab`, `aws` and `pytest` act on the local cloud, as a value."""

import os
import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path

from local.site import LIGHTSAIL, Site

ROOT = Path(__file__).parent.parent
SHIMS = Path(__file__).parent / "pulumi" / "bin"
PULUMI_STATE = "pulumi"

_SETTINGS = ("Pulumi.local.yaml", "jada.local.toml")
_HIDDEN = (".git", *_SETTINGS)


def project(site: Site) -> Path:
    """Return the folder in which `pulumi` and `fab` act on the site.

    It is the work tree for the octet that its settings are written for; for another, a folder made by `make_project`.
    """
    return ROOT if site.octet == Site().octet else site.state / "project"


def make_project(site: Site) -> None:
    """Make the folder `project` returns, if it is not the work tree: all of that by links, its settings readdressed."""
    folder = project(site)
    if folder == ROOT:
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for path in ROOT.iterdir():
        if path.name not in _HIDDEN:
            (folder / path.name).symlink_to(path)
    for name in _SETTINGS:
        text = (ROOT / name).read_text(encoding="utf-8")
        (folder / name).write_text(text.replace(f"10.{Site().octet}.", f"10.{site.octet}."), encoding="utf-8")


def variables(site: Site, engine: Path, path: str) -> dict[str, str]:
    """Return what differs from an ordinary shell: tools first on `path`, state in files, the double's address.

    The credentials are made up, so that nothing of this can reach a real account.
    """
    return {
        "PATH": os.pathsep.join([str(SHIMS), str(ROOT / ".venv" / "bin"), str(engine), path]),
        "JADA_STACK": "local",
        "JADA_SITE": site.name,
        "JADA_OCTET": str(site.octet),
        "PULUMI_BACKEND_URL": f"file://{site.state / PULUMI_STATE}",
        # Empty, because this state guards no secret; where it is unset, Pulumi asks or fails.
        "PULUMI_CONFIG_PASSPHRASE": "",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_HOME": str(site.state / "pulumi-home"),
        "AWS_ENDPOINT_URL_LIGHTSAIL": site.url(LIGHTSAIL),
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        # aws would open a pager, and wait.
        "AWS_PAGER": "",
    }


def exports(values: Mapping[str, str]) -> str:
    """Return shell lines for `eval` that set these variables."""
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in values.items())
