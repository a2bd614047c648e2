"""Where the local cloud lives on this machine: its names, addresses, ports and folder, all derived from one value."""

from dataclasses import dataclass
from pathlib import Path

LIGHTSAIL, CLAUDE, GOOGLE, BOOKINGS = 8700, 8701, 8702, 8703
"""The doubles' ports, inside the cloud's own network namespace: nothing else on the machine can hold them."""


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
