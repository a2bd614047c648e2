"""A host's machine: a systemd-nspawn container with its own systemd, in its network namespace and control group.

A running container belongs to no program: it outlives the program that started it, and is found again by its group.
"""

import contextlib
import os
import select
import signal
from pathlib import Path

from local import network
from local.cgroups import Group, group, layout
from local.commands import CommandFailed, run
from local.process import wait_until
from local.site import Site

BOOT_S, STOP_S = 30, 20
"""How long a start waits for sshd, and a stop for an orderly end; some twenty times what they take."""
EXPORTS = Path("/run/systemd/nspawn/unix-export")
"""Where Debian 13's nspawn mounts a folder for a host's sockets: a killed one's stays, and its name is then refused."""
_OWN_LIMITS = "for c in memory pids cpu; do mount -o remount,bind,rw /sys/fs/cgroup/$c; done; systemctl daemon-reexec"


def command(site: Site, number: int, root: Path) -> list[str]:
    """The command line of host `number` with its file system at `root`."""
    return [
        # Unregistered and in the group that we made: there may be no machined, and systemd need not be this machine's
        # init.
        *("systemd-nspawn", "--quiet", f"--directory={root}", "--boot", "--register=no", "--keep-unit"),
        f"--network-namespace-path={network.NAMESPACES / network.namespace(site, number)}",
        # off: these files are the image's own, as on a real host.
        *(f"--machine={site.name}-h{number}", "--console=pipe", "--resolv-conf=off", "--timezone=off"),
        # A host's journal is its own; to link it, nspawn wants this machine's identity, which a container may lack.
        "--link-journal=no",
        # For IPAddressDeny, and for sandboxes, inside: a virtual machine would allow them too.
        "--capability=CAP_NET_ADMIN,CAP_BPF",
        "--system-call-filter=bpf landlock_create_ruleset landlock_add_rule landlock_restrict_self",
    ]


def boot(site: Site, number: int, root: Path, memory: int) -> None:
    """Start the host, at most `memory` bytes, and wait until its sshd listens (or BOOT_S have passed).

    One that already runs is left as it is. Raises `CommandFailed` with the end of its console if it doesn't stay up.
    """
    cell, folder = group(site.name, number), root.parent
    if first_process(cell) is None:
        # What an interrupted start left in the group would count as the new host.
        cell.kill()
        clear_exports(site, number)
        cell.launch(command(site, number, root), memory, folder)
    if not wait_until(lambda: first_process(cell) is not None or cell.exit_code(folder) is not None, BOOT_S):
        raise CommandFailed(f"the host in {root} did not start:\n{_tail(folder)}")
    wait_until(lambda: listens(first_process(cell)) or not cell.processes(), BOOT_S)
    pid = first_process(cell)
    if pid is None:
        raise CommandFailed(f"the host in {root} ended while it booted:\n{_tail(folder)}")
    _allow_own_limits(pid)


def power_off(site: Site, number: int) -> None:
    """Shut the host down in order; what is left after STOP_S is killed."""
    cell = group(site.name, number)
    pid = first_process(cell)
    if pid is not None:
        with contextlib.suppress(ProcessLookupError):
            # What systemd takes as process 1 for "power off"; SIGTERM would only re-execute it.
            os.kill(pid, signal.SIGRTMIN + 4)
        wait_until(lambda: not cell.processes(), STOP_S)
    kill(site, number)


def kill(site: Site, number: int) -> None:
    """Cut the host's power: everything in its group is killed and the group removed."""
    cell = group(site.name, number)
    cell.kill()
    cell.remove()
    clear_exports(site, number)


def clear_exports(site: Site, number: int | None = None) -> None:
    """Remove what nspawn left of a host that was killed, or of all hosts of a site."""
    for left in EXPORTS.glob(f"{site.name}-h{'*' if number is None else number}"):
        if left.is_mount():
            run("umount", "--lazy", str(left))
        left.rmdir()


def crash(site: Site, number: int) -> None:
    """End the host's own process 1, and all others with it, as a power cut does that its cloud was not told of.

    Its group stays: the cloud boots the host again at once, and would lose its new one to a `kill` that has not ended.
    """
    pid = first_process(group(site.name, number))
    if pid is not None:
        process = os.pidfd_open(pid)
        try:
            signal.pidfd_send_signal(process, signal.SIGKILL)
            # Over once all that is below it is over.
            select.select([process], [], [], STOP_S)
        finally:
            os.close(process)


def first_process(cell: Group) -> int | None:
    """The id, on this machine, of the container's own process 1; None when it doesn't run."""
    return next((pid for pid in cell.processes() if _id_inside(pid) == "1"), None)


def _id_inside(pid: int) -> str:
    """The id a process has in a namespace directly below ours, or nothing."""
    with contextlib.suppress(OSError):
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace")
        ids = next(line for line in status.splitlines() if line.startswith("NSpid:")).split()
        return ids[2] if len(ids) == 3 else ""
    return ""


def traffic(pid: int) -> tuple[int, int]:
    """Bytes received and sent in a process's network, but for what it said to itself."""
    with contextlib.suppress(OSError):
        rows = [line.split() for line in Path(f"/proc/{pid}/net/dev").read_text(encoding="ascii").splitlines()[2:]]
        outside = [row for row in rows if row[0] != "lo:"]
        return sum(int(row[1]) for row in outside), sum(int(row[9]) for row in outside)
    return 0, 0


def listens(pid: int | None) -> bool:
    """Whether something listens on port 22 (0016) in this process's network; state 0A is LISTEN."""
    with contextlib.suppress(OSError):
        rows = [line.split() for line in Path(f"/proc/{pid}/net/tcp").read_text(encoding="ascii").splitlines()]
        return any(row[1].endswith(":0016") and row[3] == "0A" for row in rows[1:])
    return False


def _allow_own_limits(pid: int) -> None:
    """On version 1 nspawn mounts the groups read-only, and the host's systemd would ignore MemoryMax and TasksMax."""
    mounts = Path(f"/proc/{pid}/mounts").read_text(encoding="utf-8")
    if layout() == "v1" and any(" /sys/fs/cgroup/memory cgroup ro" in line for line in mounts.splitlines()):
        # --root, because where this machine's root is a chroot the mounts would otherwise be entered above the host's.
        run("nsenter", f"--target={pid}", "--mount", "--root", "--pid", "--ipc", "--uts", "sh", "-c", _OWN_LIMITS)


def _tail(folder: Path) -> str:
    with contextlib.suppress(OSError):
        lines = (folder / "console.log").read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-15:])
    return "its console said nothing"
