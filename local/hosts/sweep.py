"""Whether this machine can run hosts at all, and how to take away everything that a site's hosts left on it."""

import contextlib
import os
import signal
import sys
from pathlib import Path

from local import network
from local.cgroups import NEEDED, ROOT, groups, layout
from local.commands import run, succeeds
from local.hosts import container
from local.site import Site


def obstacles() -> list[str]:
    """What keeps this machine from running hosts, each with its cure; nothing when all is well. Changes nothing."""
    if sys.platform != "linux":
        return ["Hosts are Linux containers: run the local cloud on Linux (a virtual machine will do)."]
    if os.geteuid() != 0:
        return ["Hosts need network namespaces and mounts: run this as root, or with sudo."]
    found = []
    if layout() is None:
        found.append(_no_groups())
    if not succeeds("unshare", "--net", "--mount", "--pid", "--fork", "true"):
        found.append("This root may not make namespaces (a container without privileges?): use a machine of its own.")
    if "overlay" not in Path("/proc/filesystems").read_text(encoding="ascii") and not succeeds("modprobe", "overlay"):
        found.append(
            "This kernel has no overlay file system, in which hosts share an image: use one with CONFIG_OVERLAY_FS."
        )
    return found


def worker_obstacles() -> list[str]:
    """What keeps hosts that do run from being workers: likewise."""
    # The kernel refuses them below a chroot, and a deploy would say so after minutes, of one unit.
    if succeeds("unshare", "--user", "true"):
        return []
    return ["Workers need user namespaces, and this root may make none (a chroot?): run this outside of the chroot."]


def sweep(site: Site) -> None:
    """Remove the site's processes, groups, mounts and namespaces, by what is found. Twice is fine; files stay."""
    # Processes first, then groups, mounts and namespaces: each of them keeps the next one busy.
    for pid in network.processes(site):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    for cell in groups(site.name):
        cell.kill()
        cell.remove()
    for mount in mounts_below(site.state, Path("/proc/self/mounts").read_text(encoding="utf-8")):
        run("umount", "--lazy", mount)
    container.clear_exports(site)
    network.remove(site)


def mounts_below(folder: Path, table: str) -> list[str]:
    """The mount points inside `folder` of a table as /proc/self/mounts has it, the last mounted first."""
    points = [line.split()[1].encode().decode("unicode_escape") for line in table.splitlines()]
    return [point for point in reversed(points) if point.startswith(f"{folder.resolve()}/")]


def _no_groups() -> str:
    if Path("/sys/fs/cgroup/cgroup.controllers").exists():
        return "This machine has cgroup v2, but no systemd to own it: hosts need systemd as its first process."
    missing = ", ".join(name for name in NEEDED if not (ROOT / name).is_dir())
    return (
        f"Control groups are missing ({missing or 'all'}): mount them below {ROOT}, or boot with cgroup v2 and systemd."
    )
