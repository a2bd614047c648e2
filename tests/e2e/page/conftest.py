"""The page in a real browser: the distribution's Chromium, over a dashboard on loopback. No local cloud is needed."""

import pytest
from playwright.sync_api import sync_playwright

from tests import chromium as browser
from tests.e2e.page import scenes


def pytest_collection_modifyitems(items):
    """Say that there is no browser, rather than fail: a distribution may not package one."""
    for item in items:
        if not browser.PROGRAM and "/e2e/page/" in str(item.path):
            item.add_marker(pytest.mark.skip(reason="there is no browser: apt-get install chromium-headless-shell"))


# Not for the whole run: while it is open, Playwright's event loop runs in this process, and others can't run theirs.
@pytest.fixture(scope="module")
def chromium():
    with sync_playwright() as playwright, browser.started(playwright) as started:
        yield started


@pytest.fixture
def scene():
    """Play a scene; returns its address, its client and the ids of what it shows."""
    played = []

    def play(name):
        played.append(scenes.application(name))
        return played[-1].__enter__()

    yield play
    for each in reversed(played):
        each.__exit__(None, None, None)


@pytest.fixture
def open_page(chromium):
    """Return a signed-in page of a browser of one's own; what its console says must be nothing."""
    opened, said = [], []

    def open_(url, client, path="/", **options):
        context = chromium.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
        opened.append(context)
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: said.append(str(error)))
        scenes.sign_in(page, url, client)
        page.goto(url + path)
        return page

    open_.said = said
    yield open_
    for context in opened:
        context.close()
