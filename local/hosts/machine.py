"""One host as a whole: its network, disk and container, brought up, down and away in the right order."""

from dataclasses import dataclass
from pathlib import Path

from local import network
from local.cgroups import group
from local.hosts import container, disk
from local.site import Site


@dataclass(frozen=True, slots=True)
class Usage:
    """What a host has used since its boot (nanoseconds of CPU, bytes received and sent), and whether sshd listens."""

    cpu_ns: int
    received: int
    sent: int
    listens: bool


@dataclass(frozen=True, slots=True)
class Machine:
    """Host `number` (1 to 250) of a site: its files below `folder`, over `image`, with `memory` bytes at most."""

    site: Site
    number: int
    image: Path
    folder: Path
    memory: int

    def boot(self, identity: disk.Identity) -> None:
        """Bring it up and wait until its sshd listens; the first time it becomes who `identity` says.

        One that runs is left as it is. Raises `CommandFailed`.
        """
        # First its namespace: the container is started in it.
        network.ensure_host(self.site, self.number)
        root = disk.mount(self.image, self.folder, identity)
        container.boot(self.site, self.number, root, self.memory)

    def power_off(self) -> None:
        """Shut it down in order; what it was given (disk, network) stays."""
        container.power_off(self.site, self.number)

    def cut_power(self) -> None:
        """Kill all that runs in it, at once; what it was given (disk, network) stays."""
        container.kill(self.site, self.number)

    def delete(self) -> None:
        """Cut its power and take everything of it away."""
        container.kill(self.site, self.number)
        disk.remove(self.folder)
        network.remove_host(self.site, self.number)

    def first_process(self) -> int | None:
        """The id of its own process 1 as this machine sees it; None when it doesn't run."""
        return container.first_process(group(self.site.name, self.number))

    def has_ended(self) -> bool:
        """Whether it is down with all that carried it, so that `powered_itself_off` can say why."""
        cell = group(self.site.name, self.number)
        return container.first_process(cell) is None and cell.has_ended(self.folder)

    def powered_itself_off(self) -> bool:
        """Whether it ended by a shutdown from inside, rather than by a reboot or a crash."""
        return group(self.site.name, self.number).exit_code(self.folder) == 0

    def usage(self) -> Usage | None:
        """What it has used; None when it doesn't run."""
        cell = group(self.site.name, self.number)
        pid = container.first_process(cell)
        if pid is None:
            return None
        received, sent = container.traffic(pid)
        return Usage(cell.cpu_ns(), received, sent, container.listens(pid))

    def host_keys(self) -> dict[str, str]:
        """Its public host keys: algorithm → base64."""
        return disk.host_keys(disk.mounted(self.folder))
