"""Folders as a tool may leave them."""

import os
import subprocess
from contextlib import contextmanager


@contextmanager
def nested(folder, levels):
    """So many folders in each other, made by steps: as one path they would be too long. They go again whatever happens,
    because pytest, which clears old folders by recursion, would break at them.
    """
    folder.mkdir()
    here = os.open(folder, os.O_RDONLY)
    try:
        for _ in range(levels):
            os.mkdir("a", dir_fd=here)
            inner = os.open("a", os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = inner
        yield
    finally:
        os.close(here)
        subprocess.run(["rm", "-rf", "--", str(folder)], check=True)
