"""A PostgreSQL of the benchmark's own: a cluster in a temporary folder, on a Unix socket only, gone afterwards."""

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

INSTALLED = Path("/usr/lib/postgresql")
NO_CLUSTER = Path("/etc/postgresql-common/createcluster.d/jada-bench.conf")
"""Debian's package makes and starts a cluster of its own on a TCP port, unless a file here says not to."""
USER = "postgres"
"""PostgreSQL refuses to run as root; the package brings this user."""


class NoPostgres(Exception):
    """PostgreSQL is not here and can't be installed, or did not start."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where a running cluster can be reached, and what it is."""

    conninfo: str
    version: str


@contextmanager
def cluster(folder: Path) -> Iterator[Cluster]:
    """Start a cluster in a new folder with PostgreSQL's own settings, a Unix socket aside; end it with the block."""
    programs = _installed() or _install()
    user = USER if os.geteuid() == 0 else None
    folder.mkdir(mode=0o700)
    if user:
        shutil.chown(folder, user, pwd.getpwnam(user).pw_gid)
    control = [str(programs / "pg_ctl"), "-D", str(folder / "data"), "-l", str(folder / "log"), "-w"]
    _run([str(programs / "initdb"), "-D", str(folder / "data"), "--auth=trust", "--username=bench"], user)
    _run([*control, "-o", f"-c listen_addresses='' -k {folder}", "start"], user)
    try:
        version = _run([str(programs / "postgres"), "--version"], user).strip()
        yield Cluster(conninfo=f"host={folder} user=bench dbname=postgres", version=version)
    finally:
        _run([*control, "-m", "fast", "stop"], user)


def _installed() -> Path | None:
    """The programs of the newest release that is here."""
    found = sorted(INSTALLED.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return found[-1].parent if found else None


def _install() -> Path:
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise NoPostgres("the peer needs PostgreSQL: install the package postgresql, then run this again")
    NO_CLUSTER.parent.mkdir(parents=True, exist_ok=True)
    NO_CLUSTER.write_text("create_main_cluster = false\n")
    _run(["apt-get", "update", "-qq"], None)
    _run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", "postgresql"], None)
    programs = _installed()
    if not programs:
        raise NoPostgres(f"the package postgresql was installed, but {INSTALLED} has no initdb")
    return programs


def _run(command: list[str], user: str | None) -> str:
    """Run a program as the user; raises `NoPostgres` with its last words."""
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
    group = pwd.getpwnam(user).pw_gid if user else None
    done = subprocess.run(
        command, env=env, user=user, group=group, extra_groups=[] if user else None, cwd="/", check=False,
        stdin=subprocess.DEVNULL, capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        raise NoPostgres(f"{' '.join(command)} failed ({done.returncode}): {done.stderr.strip()[-500:]}")
    return done.stdout
