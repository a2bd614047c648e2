"""`python -m doubles.lightsail --host H --port N --state DIR`: the Lightsail API of this machine."""

import argparse
import sys
from pathlib import Path

from doubles.lightsail.app import create
from doubles.lightsail.catalog import REGIONS
from local.hosts import obstacles
from local.hosts.image import image_folder
from local.serve import run
from local.site import LIGHTSAIL, Site


def main() -> None:
    """Serve until told to end; hosts go on running."""
    given = _arguments()
    if found := obstacles():
        sys.exit("\n".join(f"lightsail: {text}" for text in found))
    if not (given.image / "etc").is_dir():
        sys.exit(
            f"lightsail: {given.image} holds no root file system for hosts: build one there, or name it by --image."
        )
    site = Site(given.site, given.octet, given.state)
    app = create(given.state, given.image, site, region=given.region, old_certificates=given.old_certificates)
    run("lightsail", app, given.host, given.port)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m doubles.lightsail", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=LIGHTSAIL, help="port to listen on; 0 takes any")
    parser.add_argument("--state", type=Path, default=Site().state / "lightsail", help="folder for records and hosts")
    parser.add_argument("--image", type=Path, default=image_folder(), help="hosts' root file system")
    parser.add_argument("--region", choices=sorted(REGIONS), default="us-east-1", help="the region that is served")
    parser.add_argument("--site", default=Site().name, help="names of namespaces, links and groups begin with it")
    parser.add_argument("--octet", type=int, default=Site().octet, help="the network is 10.OCTET.0.0/16")
    parser.add_argument(
        "--old-certificates", action="store_true", help="sign with SHA-1 (ssh-rsa), as AWS's own sample shows it"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
