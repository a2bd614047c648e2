"""`python -m doubles.lightsail --host H --port N --state DIR`: the Lightsail API of this machine.

Inside the site's network, where a cloud starts it, hosts go on running when it ends. By itself it makes that network,
and takes it away at its end, with the hosts in it, as if their power was cut: they come back when it starts again.
"""

import argparse
import sys
from pathlib import Path

from doubles.lightsail.catalog import ZONES
from doubles.lightsail.endpoint import create
from local import serve
from local.hosts import obstacles
from local.hosts.image import SUITES, USUAL, image_folder
from local.site import LIGHTSAIL


def main() -> None:
    """Serve until a signal."""
    given = _arguments()
    if found := obstacles():
        sys.exit("\n".join(f"lightsail: {text}" for text in found))
    if not (given.image / "etc").is_dir():
        sys.exit(f"lightsail: {given.image} holds no root file system for hosts: build one there, or pass --image.")
    site = serve.site("lightsail", given)
    # `make test` builds them all: the usual one is enough for a demo.
    built = {name: folder for name in SUITES if (folder := image_folder(name)).is_dir()}
    images = built | {USUAL: given.image}
    app = create(site.state, images, site, region=given.region, old_certificates=given.old_certificates)
    serve.run("lightsail", app, given)


def _arguments() -> argparse.Namespace:
    parser = serve.parser("doubles.lightsail", LIGHTSAIL, description=__doc__)
    parser.add_argument("--image", type=Path, default=image_folder(), help="hosts' root file system")
    parser.add_argument("--region", choices=sorted(ZONES), default="us-east-1", help="the region that is served")
    parser.add_argument(
        "--old-certificates", action="store_true", help="sign with SHA-1 (ssh-rsa), as AWS's own sample shows it"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
