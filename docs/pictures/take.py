"""Take the README's pictures: a demo's recording as an animation, and the page in scenes that its tests play.

`make pictures` runs this; the demo then stays up, as after `make demo`. `make pictures ONLY=page` takes the page's,
which needs no demo; `ONLY=screens` takes every scene in every theme and size, to be looked at in report/pictures.
"""

import argparse
import contextlib
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Literal
from urllib.parse import urljoin

from playwright.sync_api import Page, sync_playwright

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
TOOLS = Path(sys.executable).parent
DEMO = ".venv/bin/python -u -m local demo"
END = "Where to look"
"""What the demo prints only when all went well."""
COLUMNS, ROWS = 110, 40
PAGES: tuple[tuple[str, str, Literal["light", "dark"], int, int], ...] = (
    ("page.png", "busy", "light", 1280, 800),
    ("page-trouble.png", "trouble", "dark", 1280, 800),
    ("page-narrow.png", "busy", "light", 320, 800),
)
"""Each picture of the page: its file, its scene, its theme, and the screen."""
SCENES = ("empty", "busy", "trouble")
THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
WIDTHS = (320, 1280)
SCREENS = ROOT / "report" / "pictures"
PAUSE_S = 2
"""The longest pause that the recording keeps: steps that take a minute show nothing new meanwhile."""


def main() -> None:
    """Record the demo and photograph the page, or what is asked for of the two."""
    parser = argparse.ArgumentParser(description="The README's pictures.")
    choices = ["demo", "page", "screens"]
    parser.add_argument("only", nargs="?", choices=choices, help="take only these (default: demo and page)")
    only = parser.parse_args().only
    chromium = (
        shutil.which("chromium-headless-shell")
        or shutil.which("chromium")
        or sys.exit("jada: no browser: apt-get install chromium-headless-shell fonts-dejavu-core")
    )
    # The page first: it takes a minute, and what fails there needs no quarter of an hour to be seen.
    if only == "screens":
        survey(chromium)
    if only in {None, "page"}:
        photograph(chromium)
    if only in {None, "demo"}:
        record(HERE / "demo.svg")


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


@contextlib.contextmanager
def scene(name: str) -> Iterator[dict[str, str]]:
    """Serve a scene of the page's tests; yields its address and the path that signs in."""
    command = [".venv/bin/python", "-m", "tests.e2e.page.scenes", name]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            said = process.stdout.readline() if process.stdout else ""
            if not said:
                sys.exit(f"jada: the scene {name} could not be played: what it says is above")
            yield json.loads(said)
        finally:
            process.communicate()  # the end of its input ends it


def photograph(chromium: str) -> None:
    """Save the page in each of the README's scenes."""
    for name, played, theme, width, height in PAGES:
        with signed_in(chromium, played) as (page, _):
            page.emulate_media(color_scheme=theme)
            page.set_viewport_size({"width": width, "height": height})
            page.screenshot(path=HERE / name)


def survey(chromium: str) -> None:
    """Save each scene whole, in each theme and size: its front page, its list, and the tasks that it names."""
    shutil.rmtree(SCREENS, ignore_errors=True)
    for played in SCENES:
        with signed_in(chromium, played) as (page, named):
            front = page.url
            paths = {"": "/", "-list": "/tasks"} | {f"-{name}": f"/tasks/{task}" for name, task in named.items()}
            for theme, width, (ending, path) in itertools.product(THEMES, WIDTHS, paths.items()):
                page.emulate_media(color_scheme=theme)
                page.set_viewport_size({"width": width, "height": 800})
                page.goto(urljoin(front, path))
                page.screenshot(path=SCREENS / f"{played}{ending}-{theme}-{width}.png", full_page=True)
    sys.stdout.write(f"jada: {len(list(SCREENS.iterdir()))} pictures are in {SCREENS.relative_to(ROOT)}\n")


@contextlib.contextmanager
def signed_in(chromium: str, played: str) -> Iterator[tuple[Page, dict[str, str]]]:
    """Open a scene in a browser that has signed in; yields the page, and the ids of the tasks that it names."""
    with scene(played) as at, sync_playwright() as playwright:
        # Chromium's own sandbox refuses to run as root.
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(at["url"] + at["path"])
        page.get_by_role("button", name="Sign in").click()
        page.locator("#live-state", has_text="Live.").wait_for()
        yield page, {name: told for name, told in at.items() if name not in {"url", "path", "session"}}
        browser.close()


if __name__ == "__main__":
    main()
