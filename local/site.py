"""Where the local cloud lives on this machine: its names, addresses, ports and folder, all derived from one value."""

import argparse
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

LIGHTSAIL, CLAUDE, GOOGLE, BOOKINGS, DYNAMODB = 8700, 8701, 8702, 8703, 8704
"""Ports of the doubles and of DynamoDB Local, inside the cloud's own network namespace: nothing else on the machine can
hold them.
"""


@dataclass(frozen=True, slots=True)
class Site:
    """One local cloud. Two of them need other names and octets; `octet` is the second of 10.N.0.0/16.

    `folder` keeps its state; without one it is named after the site.
    """

    name: str = "jada"
    octet: int = 77
    folder: Path | None = None

    @property
    def state(self) -> Path:
        """The folder of its state."""
        return self.folder or Path(f"/var/lib/{self.name}-local")

    @property
    def edge(self) -> str:
        """The network namespace in which the doubles listen and the hosts' firewalls stand."""
        return f"{self.name}-edge"

    @property
    def network(self) -> str:
        """All addresses of this cloud."""
        return f"10.{self.octet}.0.0/16"

    @property
    def cloud_address(self) -> str:
        """Where the doubles listen, and every host's gateway; inside the edge namespace."""
        return f"10.{self.octet}.0.1"

    @property
    def operator_address(self) -> str:
        """This machine's own end of the link to the edge: what the hosts see an operator come from."""
        return f"10.{self.octet}.255.1"

    def private_address(self, number: int) -> str:
        """The address a host itself has; `number` from 1 to 250."""
        return f"10.{self.octet}.1.{number}"

    def public_address(self, number: int) -> str:
        """An address translated to a host's private one at the edge; `number` from 1 to 250."""
        return f"10.{self.octet}.200.{number}"

    def url(self, port: int) -> str:
        """The address of a double as operator and hosts call it."""
        return f"http://{self.cloud_address}:{port}"


_USUAL = Site()
_OCTET_FILE = "octet"


def add_options(parser: argparse.ArgumentParser, environ: Mapping[str, str]) -> None:
    """Give a command line the options that name a site; JADA_SITE and JADA_OCTET in `environ` stand for them."""
    parser.add_argument(
        "--site", type=_name, default=environ.get("JADA_SITE") or _USUAL.name,
        help=f"the cloud's name (default: JADA_SITE, else {_USUAL.name})",
    )  # fmt: skip
    parser.add_argument(
        "--octet", type=_octet, default=environ.get("JADA_OCTET") or None,
        help=f"its network is 10.OCTET.0.0/16 (default: JADA_OCTET, else what is up, else {_USUAL.octet})",
    )  # fmt: skip


def chosen(given: argparse.Namespace) -> Site:
    """Return the site that the options name; its octet is, unless given, the one that its cloud was started with."""
    site = Site(given.site)
    return replace(site, octet=given.octet or _recorded_octet(site) or _USUAL.octet)


def record_octet(site: Site) -> None:
    """Keep the site's octet in its state: later commands need not be given it again."""
    (site.state / _OCTET_FILE).write_text(f"{site.octet}\n", encoding="ascii")


def _recorded_octet(site: Site) -> int | None:
    try:
        return int((site.state / _OCTET_FILE).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def _name(text: str) -> str:
    # A network link's name holds 15 characters, and ours end in -op.
    if not re.fullmatch("[a-z][a-z0-9]{0,11}", text):
        raise argparse.ArgumentTypeError(f"a site's name is up to 12 small letters and digits, not {text!r}")
    return text


def _octet(text: str) -> int:
    if not re.fullmatch("[0-9]{1,3}", text) or not 1 <= int(text) <= 255:
        raise argparse.ArgumentTypeError(f"an octet is a number from 1 to 255, not {text!r}")
    return int(text)
