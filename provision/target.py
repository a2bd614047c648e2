"""What a command acts on: a stack's hosts, its settings file, and how each host is reached."""

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from provision import stack_file
from provision.progress import Progress
from provision.reach import access
from provision.reach import inventory as inventories
from provision.reach.connection import Host, connected
from provision.release.deploy import Source

ROOT = Path(__file__).parent.parent
"""The work tree that is deployed."""


@dataclass(frozen=True, slots=True)
class Target:
    """A stack: its name, its inventory and what is deployed to it."""

    name: str
    inventory: inventories.Inventory
    source: Source

    def hosts(self, name: str | None) -> tuple[inventories.Host, ...]:
        """Return the host of that name, or all."""
        return inventories.choose(self.inventory, name)

    def lightsail(self) -> Any:
        """Return the stack's Lightsail API, for any thread: made once, which takes a third of a second."""
        with _making:
            return _client(self.inventory)

    def access(self, name: str | None, progress: Progress) -> access.Access:
        """Ask Lightsail for access to the host of that name, or the first."""
        host = inventories.single(self.inventory, name)
        with progress.step(f"{host.name}: ask Lightsail for a temporary certificate"):
            return access.obtain(self.lightsail(), host, access.utc_now())

    @contextmanager
    def connected(self, name: str | None, progress: Progress) -> Iterator[Host]:
        """Log in to the host of that name, or the first."""
        with connected(self.access(name, progress), self.source.settings.connect_s) as host:
            yield host


_making = threading.Lock()
"""botocore makes one client at a time; what it made may be used by several threads."""


@cache
def _client(inventory: inventories.Inventory) -> Any:
    return access.client(inventory)


def load_target(stack: str | None, environ: Mapping[str, str] = os.environ, root: Path = ROOT) -> Target:
    """Read the settings, all sections, then the inventory of the stack that is meant; raises `CommandError`."""
    name = inventories.stack_name(stack, environ)
    file = root / f"jada.{name}.toml"
    loaded = stack_file.load(file)
    tested = name != "local" and loaded.deploy.notify == "required"
    parts = (loaded.deploy, loaded.queue, loaded.targets, tested, loaded.packages, loaded.table, loaded.off)
    source = Source(root, file, *parts)
    return Target(name, inventories.read(name, root, environ), source)
