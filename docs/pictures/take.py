"""Take the README's pictures from a demo: its recording as an animation, and a screenshot of the page it leaves.

`make pictures` runs this; the demo then stays up, as after `make demo`.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
TOOLS = Path(sys.executable).parent
DEMO = ".venv/bin/python -u -m local demo"
END = "Where to look"
"""What the demo prints only when all went well."""
COLUMNS, ROWS = 110, 40
PORT = 8765
PAUSE_S = 2
"""The longest pause that the recording keeps: steps that take a minute show nothing new meanwhile."""


def main() -> None:
    """Record the demo, then photograph its page."""
    chromium = shutil.which("chromium") or sys.exit("jada: no chromium: apt-get install chromium fonts-dejavu-core")
    record(HERE / "demo.svg")
    with tunnel() as process:
        try:
            photograph(chromium, page_address(process), HERE / "page.png")
        finally:
            process.send_signal(signal.SIGINT)


def record(picture: Path) -> None:
    """Run the demo in a terminal of its own and render what it printed, the last screen staying a while."""
    with tempfile.TemporaryDirectory() as folder:
        cast, drawn = Path(folder) / "demo.cast", Path(folder) / "demo.svg"
        limits = ["--idle-time-limit", str(PAUSE_S), "--cols", str(COLUMNS), "--rows", str(ROWS)]
        # Through a pipe: each turn of the spinner that a terminal is shown would be a frame.
        command = ["--command", f"echo '$ make demo'; {DEMO} | cat", str(cast)]
        run("asciinema", "rec", "--quiet", *limits, *command)
        if END not in cast.read_text(encoding="utf-8"):
            sys.exit("jada: the demo did not come to its end: see `make demo`")
        run("termtosvg", "render", str(cast), str(drawn), "--loop-delay", "8000", "--template", "solarized_light")
        picture.write_text(drawn.read_text(encoding="utf-8"), encoding="utf-8")


def run(tool: str, *arguments: str) -> None:
    """Run one of this environment's tools in a plain terminal's environment."""
    env = {**os.environ, "LANG": "C.UTF-8", "TERM": "xterm-256color", "SHELL": "/bin/sh"}
    subprocess.run([str(TOOLS / tool), *arguments], cwd=ROOT, env=env, stdin=subprocess.DEVNULL, check=True)


def tunnel() -> subprocess.Popen[str]:
    """Open the demo's page as an operator does."""
    shell = f'eval "$(make env)" && exec fab dashboard --port {PORT}'
    return subprocess.Popen(["sh", "-c", shell], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def page_address(process: subprocess.Popen[str]) -> str:
    """Return the address that the command prints."""
    for line in process.stdout or ():
        if found := re.search(r"http://\S+", line):
            return found.group()
    sys.exit("jada: `fab dashboard` printed no address")


def photograph(chromium: str, address: str, picture: Path) -> None:
    """Save the page as it is on a screen of 1280 by 800."""
    with sync_playwright() as playwright:
        # Chromium's own sandbox refuses to run as root.
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 800}, color_scheme="light")
        page.goto(address)
        page.get_by_role("button", name="Sign in").click()
        page.screenshot(path=picture)
        browser.close()


if __name__ == "__main__":
    main()
