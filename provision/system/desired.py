"""What every host has, as data: packages for each blueprint, and configuration files with what makes them count."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from provision.errors import CommandError

FILES = Path(__file__).parent / "files"
PACKAGES = {
    "debian_12": ("bubblewrap", "cron", "unattended-upgrades"),
    "debian_13": ("bubblewrap", "cron", "unattended-upgrades"),
}
"""The blueprints that a worker was verified on, and the packages that their images lack, or may lack: the sandbox of
the tools, cron, and what installs security updates. docs/operating.md says what a row needs.
"""


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """A file of the system. `kind` names the program that reads it, and with it how the file is tried and applied."""

    path: str
    content: str
    kind: str

    @property
    def digest(self) -> str:
        """The SHA-256 of its content."""
        return hashlib.sha256(self.content.encode()).hexdigest()


def packages(blueprint: str) -> tuple[str, ...]:
    """Return the packages for a system as the probe names it; raises `CommandError` for one we have not tried."""
    if blueprint not in PACKAGES:
        raise CommandError(
            f"the host runs {blueprint}, for which no packages are known",
            f"use a blueprint of {', '.join(PACKAGES)} (pulumi config), or add a row to provision/system/desired.py",
        )
    return PACKAGES[blueprint]


def all_packages() -> tuple[str, ...]:
    """Return every package that any blueprint needs: what a probe asks for before it knows the system."""
    return tuple(sorted({name for names in PACKAGES.values() for name in names}))


def config_files() -> tuple[ConfigFile, ...]:
    """Return the configuration files of every host."""
    return (
        ConfigFile("/etc/ssh/sshd_config.d/10-jada.conf", _source("sshd.conf"), "sshd"),
        ConfigFile("/etc/apt/apt.conf.d/52jada-updates", _source("updates.conf"), "apt"),
        ConfigFile("/etc/systemd/journald.conf.d/50-jada.conf", _source("journald.conf"), "journald"),
    )


def _source(name: str) -> str:
    return (FILES / name).read_text(encoding="utf-8")
