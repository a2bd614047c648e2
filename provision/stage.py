"""What a command acts on: a stack's hosts, its settings file, and the way to each host."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from provision import settings
from provision.progress import Progress
from provision.reach import access
from provision.reach import inventory as inventories
from provision.reach.connection import Host, connected
from provision.release.deploy import Source

ROOT = Path(__file__).parent.parent
"""The work tree that is deployed."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A stack by name, its inventory and what is deployed to it."""

    name: str
    inventory: inventories.Inventory
    source: Source

    def hosts(self, name: str | None) -> tuple[inventories.Host, ...]:
        """Return the host of that name, or all."""
        return inventories.choose(self.inventory, name)

    def access(self, name: str | None, progress: Progress) -> access.Access:
        """Ask Lightsail for a way into the host of that name, or the first."""
        host = inventories.only(self.inventory, name)
        with progress.step(f"{host.name}: ask Lightsail for a temporary certificate"):
            return access.obtain(access.client(self.inventory), host, access.utc_now())

    @contextmanager
    def connected(self, name: str | None, progress: Progress) -> Iterator[Host]:
        """Log in to the host of that name, or the first."""
        way = self.access(name, progress)
        with connected(way, self.source.settings.connect_s) as host:
            yield host


def load(stack: str | None, environ: Mapping[str, str] = os.environ, root: Path = ROOT) -> Stage:
    """Read the settings, all sections, then the inventory of the stack that is meant; raises `Refusal`."""
    name = inventories.stack_name(stack, environ)
    file = root / f"jada.{name}.toml"
    checked = settings.checked(file)
    source = Source(root, file, checked.deploy, checked.queue)
    return Stage(name, inventories.read(name, root, environ), source)
