"""How often the kernel has killed a process of this unit because memory ran out: its cgroup's own counter."""

import re
from pathlib import Path

_CGROUPS = Path("/sys/fs/cgroup")


class Kills:
    """The counter `oom_kill` of the cgroup that this process is in (cgroup v2, or v1's memory controller); a machine
    that shows none counts nothing.
    """

    def __init__(self, own: Path = Path("/proc/self/cgroup"), cgroups: Path = _CGROUPS) -> None:
        self._file = _counter(own, cgroups)

    def __call__(self) -> int:
        """Return the count so far."""
        try:
            text = self._file.read_text("ascii") if self._file else ""
        except OSError:
            return 0
        found = re.search(r"^oom_kill (\d+)$", text, re.MULTILINE)
        return int(found[1]) if found else 0


def _counter(own: Path, cgroups: Path) -> Path | None:
    """Find the file: a line of /proc/self/cgroup is `NUMBER:CONTROLLERS:PATH`, without controllers on v2."""
    try:
        lines = [line.split(":", 2) for line in own.read_text("utf-8").splitlines()]
    except OSError:
        return None
    paths = {controllers: path.lstrip("/") for _, controllers, path in lines}
    v1 = next((path for names, path in paths.items() if "memory" in names.split(",")), None)
    places = [(cgroups / "memory", v1, "memory.oom_control"), (cgroups, paths.get(""), "memory.events")]
    files = [root / path / name for root, path, name in places if path is not None]
    return next((file for file in files if file.exists()), None)
