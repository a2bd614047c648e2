"""The root file system that hosts start from: its recipe, and the folder of the cache in which it is kept."""

import hashlib
import os
from pathlib import Path

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
"""Debian's own archive keys, which Ubuntu lacks until its package debian-archive-keyring is there."""
SUITES = {"debian_12": "bookworm", "debian_13": "trixie"}
"""Blueprint → Debian's name of what it is made of."""
USUAL = "debian_12"
PACKAGES = (
    *("systemd", "systemd-sysv", "dbus", "libpam-systemd", "openssh-server", "python3"),
    *("sudo", "iproute2", "procps", "ca-certificates", "less", "unattended-upgrades"),
)
"""What a Debian image of Lightsail holds and this project touches; nothing that a deploy should have to install."""
ARCHIVE = (
    *("bubblewrap", "cron"),
    # What settings may ask for: a repository's work, and PDF and office files.
    *("curl", "git", "qpdf", "python3-pypdf", "xlsx2csv", "docx2txt"),
)
"""Packages in the image's cache, not installed: for apt inside a host they stand for the mirror it can't reach."""


def cache() -> Path:
    """The folder that runs share, kept by `make down`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "jada"


def image_folder(blueprint: str = USUAL) -> Path:
    """Where a blueprint's image is, or will be once it is built; another recipe has another folder."""
    return cache() / "images" / f"{blueprint}-{digest(*image_command(Path('ROOT'), blueprint))}"


def image_command(root: Path, blueprint: str = USUAL) -> list[str]:
    """The command that builds an image; it keeps the package lists, so that apt inside finds ARCHIVE."""
    hooks = (
        'chroot "$1" apt-get clean',
        f'chroot "$1" apt-get install -y -q --no-install-recommends --download-only {" ".join(ARCHIVE)}',
        # A machine's own identity is made at its first boot, never shared by an image.
        'rm -f "$1"/etc/ssh/ssh_host_*; : > "$1"/etc/machine-id',
    )
    return [
        *("mmdebstrap", "--variant=minbase", "--skip=cleanup/apt", f"--keyring={KEYRING}"),
        f"--include={','.join(PACKAGES)}",
        *(f"--customize-hook={hook}" for hook in hooks),
        *(SUITES[blueprint], str(root)),
    ]


def digest(*texts: str) -> str:
    """Return what tells one recipe from another, short enough for a folder's name."""
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:12]
