"""The nightly backup with just the capabilities that its unit leaves root: what it makes beside another user's file."""

import os
import re
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pyrage
import pytest

import backup
from backup.sources import Places

UNIT = Path(backup.__file__).parents[1] / "provision/release/files/units/jada-backup.service"
SYNC = 65534
"""Stands for the sync's user: any but root."""
KILLED = """
import os, resource, signal, sys
from pathlib import Path
from backup import make
from backup.sources import Places

places = Places(Path(sys.argv[1]))
origin = make.Origin("box", "abc", "2026-05-13T04:00:00Z", paused=False)
# Python ignores it; now the first write beyond the limit, which is into the memory's copy, kills.
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, 1 << 16))
with open(os.devnull, "wb") as out:
    make.make(places, origin, places.queue / "copy.db", (sys.argv[2],), out)
"""


def by_the_unit(*program):
    """The command that runs a program as root with the unit's capabilities only."""
    (names,) = re.findall(r"^CapabilityBoundingSet=(.+)$", UNIT.read_text(encoding="utf-8"), re.MULTILINE)
    kept = ",".join(f"+{name.removeprefix('CAP_').lower()}" for name in names.split())
    return ["setpriv", f"--bounding-set=-all,{kept}", "--no-new-privs", *program]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
@pytest.mark.process
def test_one_that_is_killed_leaves_the_syncs_memory_to_the_sync(tmp_path):
    places = Places(tmp_path)
    sync = places.trees[1].folder
    for folder in (sync, places.queue, places.own):
        folder.mkdir(parents=True)
    with closing(sqlite3.connect(places.queue / "copy.db")) as queue:
        queue.executescript("CREATE TABLE tasks (id)")
    with closing(sqlite3.connect(sync / "history.sqlite")) as memory:
        memory.executescript("PRAGMA journal_mode=WAL; CREATE TABLE base (row)")
        memory.execute("INSERT INTO base VALUES (zeroblob(200000))")
        memory.commit()
    (sync / "history.sqlite").chmod(0o600)
    for path in (sync, sync / "history.sqlite"):
        os.chown(path, SYNC, SYNC)
    key = str(pyrage.x25519.Identity.generate().to_public())
    done = subprocess.run(by_the_unit(sys.executable, "-c", KILLED, str(tmp_path), key), check=False)
    assert done.returncode == -signal.SIGXFSZ
    left = {path.name: (path.stat().st_uid, path.stat().st_gid) for path in sync.iterdir()}
    assert left == dict.fromkeys(("history.sqlite", "history.sqlite-wal", "history.sqlite-shm"), (SYNC, SYNC))
