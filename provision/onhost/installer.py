"""Carry out a plan on the host: the system forward, then the release; on failure the release before is put back.

Reads its orders as JSON from standard input and prints a line of JSON for each step. It goes on when the connection
breaks: half a deploy is worse than an unseen one. A lock keeps two apart.
"""

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from provision.onhost import durable, system, tree, units
from provision.onhost.errors import DeployError, DeployRefused, SystemStepFailed, Unhealthy

HOME = Path("/opt/jada-agent")
LOCK = Path("/run/lock/jada-deploy.lock")


def main() -> int:
    """Do what standard input says; exit 0 when the host is as planned, else 1 (the last line says how it is)."""
    # sshd hangs up when the connection breaks.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    orders = json.load(sys.stdin)
    try:
        with _deploy_lock():
            # Under the lock: another deploy could switch between this look and the work.
            _require_unchanged(orders["seen"])
            _apply_system(orders["system"])
            _release(orders)
    except (DeployError, OSError) as error:
        _emit(failed=str(error))
        return 1
    _emit(finished=True)
    return 0


@contextmanager
def _deploy_lock() -> Iterator[None]:
    with LOCK.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DeployRefused("another deploy is at work on this host: wait for it, then run again") from None
        yield


def _require_unchanged(seen: str | None) -> None:
    """Raise when another release is current than the one that the plan was made for."""
    link = HOME / "current"
    now = link.readlink().name if link.is_symlink() else None
    if now != seen:
        raise DeployRefused(f"the host changed since the plan: current was {seen}, now it is {now}; run again")


def _apply_system(steps: dict[str, Any]) -> None:
    if steps["packages"] or steps["files"]:
        with _step("wait for the host's first boot"):
            system.wait_until_ready()
    if steps["packages"]:
        with _step(f"install {', '.join(steps['packages'])}"):
            system.install(steps["packages"])
    for file in steps["files"]:
        with _step(f"write {file['path']}"):
            system.write(file)


def _release(orders: dict[str, Any]) -> None:
    folder, venv = HOME / "releases" / orders["id"], HOME / "venvs" / orders["lock"]
    if orders["wheels"]:
        with _step("make the virtual environment, offline, each wheel by its hash"):
            tree.make_venv(tree.read_verified(Path(orders["wheels"]["path"]), orders["wheels"]["sha256"]), venv)
    if orders["archive"]:
        with _step(f"unpack release {orders['id']}"):
            _unpack(orders["archive"], folder, venv)
    if orders["switch"] or orders["links"] or orders["folders"]:
        with _step("make users, folders and links"):
            _accounts(folder)
            tree.link_all(orders["links"])
    if orders.get("notify"):
        with _step("send a test to the notification targets, unless one of them took it before"):
            _require_notified(orders["notify"])
    _switch(orders)
    # Only now: until the release is healthy, the one before may be needed.
    for gone in tree.prune(HOME, [*orders["keep"], orders["id"]]):
        _emit(note=f"remove {gone}")
    shutil.rmtree(HOME / "staging", ignore_errors=True)


def _unpack(archive: dict[str, str], folder: Path, venv: Path) -> None:
    """Put the release in place, also over a damaged one of the same name."""
    tree.place_release(tree.read_verified(Path(archive["path"]), archive["sha256"]), folder, venv)


def _accounts(release: Path) -> None:
    """Make users and folders as the release says; what is there already stays, with its modes set right."""
    for command in (
        ["systemd-sysusers", str(release / "etc/sysusers.d/jada.conf")],
        ["systemd-tmpfiles", "--create", str(release / "etc/tmpfiles.d/jada.conf")],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemStepFailed(f"{command[0]}: {done.stderr.strip()}")


def _require_notified(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stdout + done.stderr).strip() or "nothing; is a line of it in the secret?"
        raise DeployRefused(f"no notification target took a test, and nothing was switched:\n{said}")


def _switch(orders: dict[str, Any]) -> None:
    """Make the release current and prove it; else put the one before back and say so."""
    if not (orders["switch"] or orders["restart"] or orders["links"]):
        return
    try:
        _activate(orders["id"], orders, f"switch to release {orders['id']}")
    except Unhealthy as error:
        raise Unhealthy(f"{error}\n{_roll_back(orders)}") from error


def _activate(release: str, orders: dict[str, Any], what: str) -> None:
    with _step(what):
        durable.link(HOME / "current", f"releases/{release}")
        # Cron reads a file again when its folder's time changes; the link itself does not.
        os.utime("/etc/cron.d")
        units.reload()
    # A release that is gone back to may be older than a unit.
    known = {path.name for path in (HOME / "releases" / release / "units").iterdir()}
    for unit in orders["restart"]:
        if unit not in known:
            units.stop(unit)
            continue
        with _step(f"restart {unit}"):
            units.restart(unit)
    with _step("wait until the host is healthy"):
        healthy = [unit for unit in orders["healthy"] if unit in known]
        units.wait_healthy(healthy, orders["health"]["url"], orders["health"]["seconds"])


def _roll_back(orders: dict[str, Any]) -> str:
    before = orders["seen"]
    if before is None or before == orders["id"]:
        for unit in orders["restart"]:
            units.stop(unit)
        return "There is no release before it to go back to; what was restarted is stopped."
    try:
        _activate(before, orders, f"go back to release {before}")
    except Unhealthy as error:
        return f"Going back to release {before} failed as well: {error}"
    return f"The release before, {before}, is back and healthy."


@contextmanager
def _step(text: str) -> Iterator[None]:
    _emit(begin=text)
    try:
        yield
    except BaseException:
        _emit(broken=text)
        raise
    _emit(done=text)


def _emit(**event: Any) -> None:
    try:
        sys.stdout.write(json.dumps(event) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:  # the operator's connection is gone; the work goes on
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
