"""Run a module and write its peak memory into a file at the end: `python -m bench.peak FILE MODULE …`.

The kernel's own figure for a child (ru_maxrss) counts what its parent held when it was forked, too.
"""

import atexit
import re
import runpy
import sys
from pathlib import Path


def main() -> None:
    """Run it."""
    file, module = Path(sys.argv[1]), sys.argv[2]
    atexit.register(lambda: file.write_text(str(_peak()), encoding="ascii"))
    sys.argv = [module, *sys.argv[3:]]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _peak() -> int:
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"))
    return int(found[1]) * 1024 if found else 0


if __name__ == "__main__":
    main()
