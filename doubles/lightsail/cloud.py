"""What all calls act on: the memory, the clock, the authority, and the jobs that turn instances into hosts."""

import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from doubles.lightsail.access import Authority
from doubles.lightsail.catalog import BUNDLES
from doubles.lightsail.claim import Claim
from doubles.lightsail.errors import failure, invalid, not_found
from doubles.lightsail.records import Instance, Operation, Port, Snapshot, StaticIp
from doubles.lightsail.store import Store
from local import firewall, network
from local.firewall import GuardedHost, OpenPorts
from local.hosts.disk import Identity
from local.hosts.machine import Machine
from local.site import Site

R = TypeVar("R")
ACCOUNT = "000000000000"
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,253}[A-Za-z0-9_]")
LAST = 250
"""The highest number of a host, and of a public address, in a site's network."""


@dataclass(frozen=True, slots=True)
class Cloud:
    """One region of one account on this machine. `images`: blueprint → the file system its instances start from."""

    site: Site
    images: Mapping[str, Path]
    region: str
    store: Store
    authority: Authority
    claim: Claim
    clock: Callable[[], float]

    def instance(self, name: str) -> Instance:
        """Find an instance. Raises `AwsError`."""
        return _found(self.store.find(Instance, name), "Instance", name)

    def static_ip(self, name: str) -> StaticIp:
        """Find a static IP. Raises `AwsError`."""
        return _found(self.store.find(StaticIp, name), "StaticIp", name)

    def require_free_name(self, name: str) -> None:
        """Raise `AwsError` for no name, or one that a resource of any kind has: the vendor keeps one list of names."""
        if not _NAME.fullmatch(name):
            raise invalid(
                f"{name!r} is no name: 2 to 255 letters, digits, hyphens and underscores, no hyphen at the ends."
            )
        if any(self.store.find(kind, name) for kind in (Instance, StaticIp, Snapshot)):
            raise invalid(f"The name {name} is already in use; delete what has it, or choose another.")

    def public_address(self, instance: Instance) -> str:
        """The address an instance is reached at: its static IP, else its own, else (stopped) none."""
        fixed = [ip.address for ip in self.store.all(StaticIp) if ip.attached == instance.name]
        return fixed[0] if fixed else instance.address

    def free_address(self) -> str:
        """A public address that is not in use; one that was given back is not soon given again."""
        taken = {i.address for i in self.store.all(Instance)} | {ip.address for ip in self.store.all(StaticIp)}
        # Counted on, not searched from 1: an address that comes back at once would hide a stale one in a caller.
        for _ in range(LAST):
            address = self.site.public_address((self.store.next("address") - 1) % LAST + 1)
            if address not in taken:
                return address
        raise failure(f"All {LAST} public addresses are in use; release one.")

    def free_number(self) -> int:
        """A host's number that is not in use."""
        taken = {instance.number for instance in self.store.all(Instance)}
        for _ in range(LAST):
            number = (self.store.next("number") - 1) % LAST + 1
            if number not in taken:
                return number
        raise failure(f"All {LAST} places for hosts are in use; delete an instance.")

    def machine(self, instance: Instance) -> Machine:
        """The host of an instance."""
        memory = int(BUNDLES[instance.bundle]["ramSizeInGb"] * (1 << 30))
        folder = self.site.state / "hosts" / instance.name
        return Machine(self.site, instance.number, Path(instance.image), folder, memory)

    def identity(self, instance: Instance) -> Identity:
        """What the first boot gives the host of an instance."""
        private = self.site.private_address(instance.number)
        hostname = f"ip-{private.replace('.', '-')}"
        return Identity(hostname, private, self.authority.public, self.authority.old)

    def order_job(self, instance: Instance, job: str) -> None:
        """Write into the instance's record what is to be done: create, start, stop, reboot or delete."""
        up = job not in {"stop", "delete"}
        address = instance.address
        if up and not self.public_address(instance):
            address = self.free_address()
        self.store.put(replace(instance, job=job, up=up, address=address))

    def load_firewall(self) -> None:
        """Make addresses and open ports of all instances real, in one transaction."""
        instances = self.store.all(Instance)
        # A network without instances is made at the first boot: a double at rest leaves no trace on the machine.
        if not self.claim.held and (instances or network.inside(self.site)):
            self.ensure_network()
        if self.claim.held:
            firewall.apply(self.site, tuple(self._guarded(i) for i in instances if self.public_address(i)))

    @property
    def made_network(self) -> bool:
        """Whether the site's network is this program's own: a cloud that starts it inside one has made that itself."""
        return self.claim.held and not network.inside(self.site)

    def ensure_network(self) -> None:
        """Make the site's network, which is then ours; whoever started this program inside it has made it already."""
        if not network.inside(self.site):
            network.ensure(self.site)
        self.claim.take(network.NAMESPACES / self.site.edge)

    def record_operation(
        self, kind: str, record: Instance | StaticIp, status: str = "Started", details: str = ""
    ) -> Operation:
        """Keep an operation on a resource."""
        now, zone = self.clock(), record.zone if isinstance(record, Instance) else "all"
        made = Operation(new_id(), record.name, type(record).__name__, kind, now, now, status, zone, details)
        self.store.put(made)
        return made

    def _guarded(self, instance: Instance) -> GuardedHost:
        private = self.site.private_address(instance.number)
        openings = tuple(_opening(port) for port in instance.ports if port.protocol != "icmpv6")
        return GuardedHost(private, self.public_address(instance), openings)


def new_id() -> str:
    """An identity for a record, in the form of a UUID."""
    return str(uuid.uuid4())


def _opening(port: Port) -> OpenPorts:
    return OpenPorts(port.protocol, port.first, port.last, port.cidrs)


def _found(record: R | None, kind: str, name: str) -> R:
    if record is None:
        raise not_found(kind, name)
    return record
