"""The host's own state, brought forward: packages and configuration files. Nothing of it is ever rolled back."""

import fcntl
import os
import shutil
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from provision.onhost import durable, sshd
from provision.onhost.errors import SystemStepFailed

INTERRUPTED = "dpkg was interrupted"
"""What apt says, which then has dpkg's lock and has let go of it: no other dpkg is at work."""
LISTS_LOCK = Path("/var/lib/apt/lists/lock")
APT = ["apt-get", "-o", "DPkg::Lock::Timeout=300", "-q"]
"""Waits up to five minutes for another apt: a new box runs its own at first. Not for one that fetches lists."""


def wait_until_ready() -> None:
    """Wait for cloud-init, where there is one: it installs and writes as well."""
    if shutil.which("cloud-init"):  # up to ten minutes: a first boot may upgrade packages
        subprocess.run(["cloud-init", "status", "--wait"], capture_output=True, check=False, timeout=600)


def install(names: list[str], lists_lock: Path = LISTS_LOCK) -> None:
    """Install packages; the lists are fetched only when they don't know one."""
    command = [*APT, "install", "-y", "--no-install-recommends", *names]
    done = _apt(command)
    if INTERRUPTED in done.stderr:
        # An installer that was stopped, or a power cut, ended dpkg halfway: apt refuses all until that is put right.
        finished = _apt(["dpkg", "--configure", "--pending"])
        if finished.returncode:
            raise SystemStepFailed(f"{INTERRUPTED}, and can't finish what it began: {_end(finished)}")
        done = _apt(command)
    if done.returncode == 0:
        return
    _wait_for_lists(lists_lock)
    _apt([*APT, "update"])
    done = _apt(command)
    if done.returncode:
        raise SystemStepFailed(f"apt-get can't install {' '.join(names)}: {_end(done)}")


def _wait_for_lists(lock: Path) -> None:
    """Wait until no other apt fetches lists: beside it ours would be refused, and know no more than before."""
    if lock.exists():
        with lock.open("r+b") as held:
            fcntl.lockf(held, fcntl.LOCK_EX)


def write(file: dict[str, Any], login: str) -> None:
    """Put a configuration file in place and make its program read it; `kind` says how, and what must survive: `login`'s
    way in, of all things.
    """
    if file["kind"] == "sshd":
        reload = partial(load, [["systemctl", "reload", "ssh"]])
        sshd.put(Path(file["path"]), file["content"], login, reload)
    else:
        APPLIED[file["kind"]](Path(file["path"]), file["content"])


def _journald(path: Path, content: str) -> None:
    durable.write(path, content.encode(), 0o644)
    load([["systemctl", "restart", "systemd-journald"], ["journalctl", "--flush"]])


def load(commands: list[list[str]]) -> None:
    """Make a daemon read its files by commands."""
    for command in commands:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemStepFailed(f"{' '.join(command)}: {_end(done)}")


def _apt_settings(path: Path, content: str) -> None:
    """Settings of apt, which reads them at each run; what it can't read would end every later one."""
    durable.write(path, content.encode(), 0o644)
    done = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=False)
    if done.returncode:
        path.unlink()
        raise SystemStepFailed(f"apt does not take {path}, which was taken back: {_end(done)}")


def _program(path: Path, content: str) -> None:
    durable.write(path, content.encode(), 0o600)


def _boot_unit(path: Path, content: str) -> None:
    """A unit that systemd starts at boot; not now."""
    durable.write(path, content.encode(), 0o644)
    systemctl("enable", "--no-reload", path.name)


def _drop_in(path: Path, content: str) -> None:
    """A part of a unit that no release takes away."""
    durable.write(path, content.encode(), 0o644)


OF_SYSTEMD = ("boot unit", "drop-in")
"""Kinds of files that systemd is to read again, by who has written all of them."""
APPLIED: dict[str, Callable[[Path, str], None]] = {
    "apt": _apt_settings,
    "journald": _journald,
    "program": _program,
    "boot unit": _boot_unit,
    "drop-in": _drop_in,
}


def systemctl(verb: str, *words: str) -> None:
    """Ask systemd for something; raises `SystemStepFailed` with what it said."""
    done = subprocess.run(["systemctl", verb, *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemStepFailed(f"systemctl {verb} {' '.join(words)}: {_end(done)}")


def _apt(command: list[str]) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=env)


def _end(done: subprocess.CompletedProcess[str]) -> str:
    return " / ".join((done.stderr or done.stdout).strip().splitlines()[-3:])
