"""`make kernels`: the filter of system calls on Debian's own kernels, x86-64 and ARM64, each in an emulated machine.

Needs gcc, gcc-aarch64-linux-gnu, libc6-dev-arm64-cross, qemu-system-x86 and qemu-system-arm, and fetches the kernels by
apt into a folder of its own. Not a part of `make test`, which has no network; there the filter is walked as the kernel
walks it, and tried on the kernel that is there. qemu's emulation of single programs (qemu-user) refuses all filters.
"""

import argparse
import errno
import gzip
import os
import re
import struct
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from agent.sandbox import syscalls


@dataclass(frozen=True, slots=True)
class Machine:
    """How one is emulated: Debian's name for it, its compiler, qemu's arguments, and what its console is called."""

    debian: str
    compiler: str
    emulator: tuple[str, ...]
    console: str


MACHINES = {
    "x86_64": Machine("amd64", "x86_64-linux-gnu-gcc", ("qemu-system-x86_64", "-cpu", "max"), "ttyS0"),
    "aarch64": Machine(
        "arm64", "aarch64-linux-gnu-gcc", ("qemu-system-aarch64", "-M", "virt", "-cpu", "cortex-a57"), "ttyAMA0"
    ),
}
LONGEST_S = 300
UNKNOWN, NOT_PERMITTED, ALLOWED = os.strerror(errno.ENOSYS), os.strerror(errno.EPERM), "allowed"


def main() -> int:
    """Boot each, and compare what it says; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.kernels", description=__doc__.split("\n\n")[0])
    parser.add_argument("--machine", choices=MACHINES, action="append", help="only this one")
    return max([_tried(name) for name in parser.parse_args().machine or MACHINES])


def _tried(machine: str) -> int:
    with tempfile.TemporaryDirectory() as name:
        kernel, said = _said(Path(name), machine)
    wanted_of_all = _wanted(machine)
    wrong = {call: (said.get(call), wanted) for call, wanted in wanted_of_all.items() if said.get(call) != wanted}
    for call, (what, wanted) in wrong.items():
        sys.stderr.write(f"{machine}: {call}: {what}, wanted {wanted}\n")
    if not wrong:
        sys.stdout.write(f"{len(said)} calls on {machine}, kernel {kernel}: as they should be\n")
    return 1 if wrong else 0


def _wanted(machine: str) -> dict[str, str]:
    """What comes of each call."""
    user = dict.fromkeys(("unshare a user namespace", "clone a user namespace"), NOT_PERMITTED)
    free = dict.fromkeys(("filter", "unshare a pid namespace", "clone", "getpid"), ALLOWED)
    # It looks at its arguments: there it is.
    before = {"before unshare a user namespace": ALLOWED, "before io_uring_setup": os.strerror(errno.EFAULT)}
    return before | dict.fromkeys(syscalls.refused(machine), UNKNOWN) | user | free


def _said(folder: Path, name: str) -> tuple[str, dict[str, str]]:
    """Return which kernel was booted, and what came of each call."""
    machine = MACHINES[name]
    (folder / "filter.h").write_text(_header(name))
    program = folder / "init"
    source = Path(__file__).with_name("calls.c")
    _run(machine.compiler, "-static", "-O1", "-I", str(folder), "-o", str(program), str(source))
    (folder / "initrd.gz").write_bytes(gzip.compress(_archive(program.read_bytes())))
    kernel = _kernel(folder, machine.debian)
    out = _run(
        *(*machine.emulator, "-m", "256", "-nographic", "-no-reboot"),
        *("-kernel", str(kernel), "-initrd", str(folder / "initrd.gz")),
        *("-append", f"console={machine.console} quiet panic=-1"),
    )
    # What the firmware does to a terminal stands before the first word.
    lines = re.sub(r"\x1b(c|\[[0-9;?=]*[a-zA-Z])", "", out).splitlines()
    pairs = (line.strip().rpartition(": ") for line in lines)
    return kernel.name.removeprefix("vmlinuz-"), {call: what for call, _, what in pairs if call and call[0] != "["}


def _header(machine: str) -> str:
    lines = struct.iter_unpack("=HBBI", syscalls.compiled(machine))
    rules = ",".join(f"{{{code},{yes},{no},{value}u}}" for code, yes, no, value in lines)
    names = ",".join(f'{{"{name}",{number}}}' for name, number in syscalls.refused(machine).items())
    kind = "static const struct { const char *name; long number; }"
    return f"static const struct sock_filter filter[] = {{{rules}}};\n{kind} refused[] = {{{names}}};\n"


def _kernel(folder: Path, debian: str) -> Path:
    """Fetch Debian's kernel for small machines; this machine's own apt stays as it is."""
    for made in ("lists/partial", "cache/archives/partial"):
        (folder / made).mkdir(parents=True)
    (folder / "status").touch()
    options = [
        *(f"APT::Architecture={debian}", f"APT::Architectures::={debian}", "APT::Sandbox::User=root"),
        *(f"Dir::State::lists={folder}/lists", f"Dir::State::status={folder}/status", f"Dir::Cache={folder}/cache"),
    ]
    apt = [word for option in options for word in ("-o", option)]
    _run("apt-get", *apt, "-qq", "update")
    needs = _run("apt-cache", *apt, "depends", f"linux-image-cloud-{debian}")
    package = next(line.split()[-1] for line in needs.splitlines() if "linux-image-" in line.partition(":")[2])
    _run("apt-get", *apt, "-qq", "download", f"{package.partition(':')[0]}:{debian}", folder=folder)
    _run("dpkg", "-x", str(next(folder.glob("*.deb"))), str(folder / "kernel"))
    return next((folder / "kernel/boot").glob("vmlinuz-*"))


def _archive(program: bytes) -> bytes:
    """An initramfs (cpio, newc) with a console and one program."""
    entries = [("dev", 0o40755, b"", 0, 0), ("dev/console", 0o20600, b"", 5, 1), ("init", 0o100755, program, 0, 0)]
    out = b""
    for number, (name, mode, content, major, minor) in enumerate([*entries, ("TRAILER!!!", 0, b"", 0, 0)], 1):
        fields = (number, mode, 0, 0, 1, 0, len(content), 0, 0, major, minor, len(name) + 1, 0)
        for part in (b"070701" + b"".join(b"%08X" % field for field in fields) + name.encode() + b"\0", content):
            out += part + bytes(-len(part) % 4)
    return out


def _run(*command: str, folder: Path | None = None) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=LONGEST_S, check=False)
    if done.returncode:
        raise SystemExit(f"{command[0]}: {done.stderr or done.stdout}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
