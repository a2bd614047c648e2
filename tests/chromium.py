"""The distribution's Chromium, for tests that need a browser.

Its headless shell where there is one: Chromium without windows, extensions and what else nobody sees takes a quarter of
the CPU for being started and for signing in again and again.
"""

import shutil
from contextlib import contextmanager

from local import tools

PROGRAM = shutil.which(tools.BROWSER) or shutil.which("chromium")


@contextmanager
def started(playwright):
    """Yield a browser, which ends with the block."""
    # Its own sandbox refuses to run as root.
    browser = playwright.chromium.launch(executable_path=PROGRAM, args=["--no-sandbox"])
    try:
        yield browser
    finally:
        browser.close()
