"""A host's disk: its own layer over the image it was made from, and what the first boot of a cloud image does."""

import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path

from local.commands import run, succeeds
from local.process import wait_until

USER = "admin"
"""The login user of Lightsail's Debian images."""
GENERATOR = "systemd-sysv-generator"
"""The one of systemd's that finds something in a container: services that have a script only."""
_CA = "etc/ssh/lightsail_instance_ca.pub"
_CONFIG = """
TrustedUserCAKeys /{ca}
PasswordAuthentication no
{old}"""


@dataclass(frozen=True, slots=True)
class Identity:
    """What the first boot gives a host: its name and address, the CA (a public key line) whose certificates open it,
    and whether that CA signs in the old SHA-1 form.
    """

    hostname: str
    address: str
    authority: str
    old_certificates: bool = False


def mounted(folder: Path) -> Path:
    """Where the disk kept in `folder` appears while it is mounted."""
    return folder / "merged"


def mount(image: Path, folder: Path, identity: Identity) -> Path:
    """Mount the disk over `image`, prepared once as at a first boot; returns its root. Run twice it does nothing."""
    prepared, root = folder / "prepared", mounted(folder)
    if not prepared.exists():
        remove(folder)  # a preparation cut short begins anew
    for name in ("upper", "work", "merged"):
        (folder / name).mkdir(mode=0o755, parents=True, exist_ok=True)
    if not root.is_mount():
        layers = f"lowerdir={image},upperdir={folder / 'upper'},workdir={folder / 'work'}"
        run("mount", "-t", "overlay", "overlay", "-o", layers, str(root))
    # The mark comes last, so that a preparation cut short is not taken for a whole one.
    if not prepared.exists():
        _first_boot(root, identity)
        prepared.touch()
    return root


def unmount(folder: Path) -> None:
    """Unmount the disk, if it is mounted. Raises `CommandFailed` when something stays in it for half a minute."""
    root = mounted(folder)
    # The last command of a preparation cut short may still be at work in it.
    if not wait_until(lambda: not root.is_mount() or succeeds("umount", str(root)), 30):
        run("umount", str(root))


def remove(folder: Path) -> None:
    """Unmount the disk and delete its layer."""
    unmount(folder)
    shutil.rmtree(folder, ignore_errors=True)


def host_keys(root: Path) -> dict[str, str]:
    """The host's public keys: algorithm → base64, as `GetInstanceAccessDetails` tells them."""
    lines = [path.read_text(encoding="ascii").split() for path in sorted(root.glob("etc/ssh/ssh_host_*_key.pub"))]
    return {fields[0]: fields[1] for fields in lines}


def _first_boot(root: Path, identity: Identity) -> None:
    (root / "etc/hostname").write_text(f"{identity.hostname}\n", encoding="ascii")
    names = f"127.0.0.1 localhost\n{identity.address} {identity.hostname}\n::1 localhost ip6-localhost\n"
    (root / "etc/hosts").write_text(names, encoding="ascii")
    (root / "etc/machine-id").write_text(f"{uuid.uuid4().hex}\n", encoding="ascii")
    _user(root)
    _sshd(root, identity)
    _generators(root)


def _generators(root: Path) -> None:
    """Have systemd start no generator for what a container has none of: each reading of units starts
    all that there are, which was half of what that takes.
    """
    for path in root.glob("usr/lib/systemd/system-generators/*"):
        if path.name != GENERATOR:
            masked = root / "etc/systemd/system-generators" / path.name
            masked.parent.mkdir(exist_ok=True)
            masked.symlink_to("/dev/null")


def _user(root: Path) -> None:
    if not succeeds("chroot", str(root), "id", USER):
        run("chroot", str(root), "useradd", "--uid=1000", "--create-home", "--shell=/bin/bash", USER)
    sudoers = root / "etc/sudoers.d/90-cloud-init-users"
    sudoers.write_text(f"{USER} ALL=(ALL) NOPASSWD:ALL\n", encoding="ascii")
    sudoers.chmod(0o440)


def _sshd(root: Path, identity: Identity) -> None:
    (root / _CA).write_text(f"{identity.authority}\n", encoding="ascii")
    old = "CASignatureAlgorithms +ssh-rsa\n" if identity.old_certificates else ""
    with (root / "etc/ssh/sshd_config").open("a", encoding="ascii") as config:
        config.write(_CONFIG.format(ca=_CA, old=old))
    # Of 2048 bits, the least that a hardened sshd takes: with the usual 3072 this key is most of a first boot's work.
    rsa = ("-q", "-t", "rsa", "-b", "2048", "-N", "", "-f", "/etc/ssh/ssh_host_rsa_key")
    run("chroot", str(root), "ssh-keygen", *rsa)
    run("chroot", str(root), "ssh-keygen", "-A")
