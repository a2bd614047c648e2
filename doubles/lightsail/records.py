"""What this Lightsail remembers, as values. Times are seconds since 1970."""

from dataclasses import dataclass, field

STATES = {"pending": 0, "running": 16, "shutting-down": 32, "stopping": 64, "stopped": 80}
"""The vendor's states of an instance and their codes."""
_STATE_DURING = {"create": "pending", "start": "pending", "stop": "stopping", "delete": "shutting-down"}


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag; one without a value is a label."""

    key: str
    value: str = ""


@dataclass(frozen=True, slots=True)
class Port:
    """A range of ports let in, by sources."""

    first: int
    last: int
    protocol: str
    cidrs: tuple[str, ...] = ("0.0.0.0/0",)
    ipv6_cidrs: tuple[str, ...] = ("::/0",)
    aliases: tuple[str, ...] = ()

    @property
    def range(self) -> tuple[int, int, str]:
        """What identifies it: an opening of the same range replaces it, a closing removes it."""
        return self.first, self.last, self.protocol


@dataclass(frozen=True, slots=True)
class Instance:
    """An instance. `number` is its place in the network; `address` its own public address, none while it is stopped
    or has a static one; `up` whether it should run; `job` what is being done to it; `image` what its disk lies over;
    `snapshot_time` when a snapshot is made each day, `snapshots_since`; `host_keys` (algorithm → base64) what was
    `witnessed` when it first ran, and stays even if the host changes them.
    """

    name: str
    id: str
    created: float
    number: int
    zone: str
    blueprint: str
    bundle: str
    ports: tuple[Port, ...]
    address_type: str = "dualstack"
    address: str = ""
    tags: tuple[Tag, ...] = ()
    up: bool = True
    job: str = ""
    image: str = ""
    snapshot_time: str = ""
    snapshots_since: float = 0.0
    witnessed: float = 0.0
    host_keys: dict[str, str] = field(default_factory=dict)

    @property
    def state(self) -> str:
        """The vendor's name for what it does now; a reboot is part of running."""
        return _STATE_DURING.get(self.job, "running" if self.up else "stopped")


@dataclass(frozen=True, slots=True)
class StaticIp:
    """A public address that stays; `attached` is an instance's name, or nothing."""

    name: str
    id: str
    created: float
    address: str
    attached: str = ""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A snapshot of an instance that was made by hand, as it was then; `arn` is the instance's."""

    name: str
    id: str
    created: float
    zone: str
    instance: str
    arn: str
    blueprint: str
    bundle: str
    size: int
    tags: tuple[Tag, ...] = ()


@dataclass(frozen=True, slots=True)
class Operation:
    """What a call began: `kind` is the vendor's operation type, `status` is Started, Succeeded or Failed."""

    id: str
    resource: str
    resource_type: str
    kind: str
    created: float
    changed: float
    status: str
    zone: str = "all"
    details: str = ""
    error: str = ""
