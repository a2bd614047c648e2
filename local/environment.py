"""The environment in which `pulumi`, `fab`, `aws` and `pytest` act on the local cloud, as a value."""

import json
import os
import shlex
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from local import proxy
from local.account import Account, typed
from local.site import DYNAMODB, LIGHTSAIL, Site
from local.steps import StepFailed

ROOT = Path(__file__).parent.parent
SHIMS = Path(__file__).parent / "pulumi" / "bin"
PULUMI_STATE = "pulumi"
TABLE = "jada-queue"
"""The table of a stack with several hosts."""
LEASE_S = 20
_ENGINE = "engine"
_MADE_FOR = ROOT / ".venv" / "made-for"

_SETTINGS = ("Pulumi.local.yaml", "jada.local.toml")
_HIDDEN = (".git", *_SETTINGS)


def project(site: Site) -> Path:
    """Return the folder in which `pulumi` and `fab` act on the site.

    It is the work tree for what its settings say; for another octet, or several hosts, a folder made by `make_project`.
    """
    made = site.state / "project"
    return made if site.octet != Site().octet or made.is_dir() else ROOT


def make_project(site: Site, owner: Account | None = None, names: Sequence[str] = ()) -> None:
    """Make the folder `project` returns, if it is not the work tree: all of that by links, its settings readdressed.

    It is `owner`'s, who works there. `names` are the hosts' where there are several.
    """
    folder = site.state / "project"
    if site.octet == Site().octet and not names:
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for path in ROOT.iterdir():
        if path.name not in _HIDDEN:
            (folder / path.name).symlink_to(path)
    for name in _SETTINGS:
        text = (ROOT / name).read_text(encoding="utf-8")
        text = several(text, names) if names else text
        (folder / name).write_text(text.replace(f"10.{Site().octet}.", f"10.{site.octet}."), encoding="utf-8")
    if owner:
        owner.give(folder)


def several(text: str, names: Sequence[str]) -> str:
    """Return one of the two settings files for hosts of these names over one table."""
    hosts = f"config:\n  jada:hosts: {json.dumps(list(names))}\n  jada:table: {TABLE}\n"
    table = f'table = "{Site().url(DYNAMODB)}/{TABLE}"\n'
    # A lost host's task is another's after this long: in a demo two minutes are too long to watch.
    changes = {"config:\n": hosts, 'table = ""\n': table, "lease_s = 120\n": f"lease_s = {LEASE_S}\n"}
    for old, new in changes.items():
        text = text.replace(f"\n{old}", f"\n{new}")
    return text


def variables(site: Site, path: str, no_proxy: str = "") -> dict[str, str]:
    """Return what differs from an ordinary shell: tools first on `path`, state in files, the double's address.

    The credentials are made up, so that nothing of this can reach a real account.
    """
    return {
        "PATH": os.pathsep.join([str(SHIMS), str(ROOT / "bin"), str(ROOT / ".venv" / "bin"), path]),
        "JADA_STACK": "local",
        "JADA_SITE": site.name,
        "JADA_OCTET": str(site.octet),
        # The program in infra/ refuses another folder's settings.
        "JADA_PROJECT": str(project(site)),
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
        # Python reads the small letters first, Go the large ones.
        **dict.fromkeys(("no_proxy", "NO_PROXY"), proxy.without_proxy(no_proxy, site.cloud_address)),
    }


def record_engine(site: Site, engine: Path) -> None:
    """Keep in the site's state where its engine is, for `pulumi` in its shells: another user's cache is elsewhere."""
    (site.state / _ENGINE).write_text(f"{engine}\n", encoding="utf-8")


def require_demo(site: Site, environ: Mapping[str, str]) -> None:
    """Raise `StepFailed` that says why a shell can't act on the cloud, if it can't."""
    # Through links: in a site's project folder this package is a link into the checkout.
    own = str(Path(__file__).resolve().parent.parent)
    checkout = _MADE_FOR.read_text(encoding="utf-8").strip() if _MADE_FOR.exists() else own
    if checkout != own:
        raise StepFailed(f"this checkout was moved here from {checkout}: `make tools` mends it")
    try:
        (site.state / _ENGINE).read_bytes()
    except FileNotFoundError:
        raise StepFailed(f"no demo is up: `{typed(environ, 'demo')}` makes one") from None
    except PermissionError:
        owner = site.state.stat().st_uid
        raise StepFailed(f"the demo that is up was made for another user (id {owner}): ask as that one") from None


def exports(values: Mapping[str, str]) -> str:
    """Return shell lines for `eval` that set these variables."""
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in values.items())
