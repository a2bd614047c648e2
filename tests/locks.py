"""What /proc/locks says of a lock that a test has to see waited for."""

from pathlib import Path


def is_waited_for(path):
    """Whether a program waits for a lock on this file or folder, of whatever kind; for one to come nothing waits."""
    if not path.exists():
        return False
    inode = path.stat().st_ino
    return any("->" in line and f":{inode} " in line for line in Path("/proc/locks").read_text().splitlines())
