"""Who gets to the queue and its page on a real host: through SSH, by a link that works once, in a real browser."""

import shutil

import pytest
import urllib3

from tests.browser import Browser
from wire.client import Client, RequestRefused
from wire.types import NewTask, State

pytestmark = [pytest.mark.root, pytest.mark.chain]


def test_the_port_of_the_operators_machine_leads_to_no_api(chain):
    with chain.tunnel() as tunnel:
        page = Client(f"http://127.0.0.1:{tunnel.port}", retries=0)
        for call in (page.health, lambda: page.invite("eve"), lambda: page.add_task(NewTask(title="t"))):
            with pytest.raises(RequestRefused, match="only the page is served here"):
                call()
        assert urllib3.request("GET", f"http://127.0.0.1:{tunnel.port}/").status == 401


def test_the_host_opens_no_port_but_sshs(chain):
    assert {line.split()[3].rpartition(":")[2] for line in chain.host("ss -Hlnt").splitlines()} == {"22"}


def test_a_link_signs_in_once_in_a_real_browser_and_the_page_acts(chain):
    chromium = shutil.which("chromium") or pytest.skip("no chromium on this machine: apt-get install chromium")
    playwright = pytest.importorskip("playwright.sync_api")
    with chain.tunnel() as tunnel, playwright.sync_playwright() as driver:
        link = tunnel.link()
        # A preview looks first.
        assert (
            Browser(link.partition("/sign-in/")[0].replace("jada-local.localhost", "127.0.0.1"))(
                "GET", "/sign-in/" + link.rpartition("/")[2]
            ).status
            == 200
        )
        # Chromium's own sandbox refuses to run as root.
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        context = browser.new_context()
        page = context.new_page()
        page.goto(link)
        page.get_by_role("button", name="Sign in").click()
        assert page.get_by_role("heading", name="The queue").is_visible()
        assert "anna" in page.locator("header").inner_text()
        (cookie,) = context.cookies()
        assert (cookie["name"], cookie["secure"], cookie["httpOnly"]) == ("__Host-jada", True, True)
        task = tunnel.client.add_task(NewTask(title="Not to be worked", not_before="2098-01-01T00:00:00Z"))
        page.goto(f"{link.partition('/sign-in/')[0]}/tasks/{task.id}")
        page.get_by_text("Cancel this task").click()
        page.get_by_role("button", name="Cancel the task").click()
        assert tunnel.client.task(task.id).state is State.CANCELLED
        other = browser.new_page()
        other.goto(link)
        assert other.get_by_role("button", name="Sign in").count() == 0
        page.get_by_role("button", name="Sign out").click()
        page.goto(link.partition("/sign-in/")[0])
        assert "fab dashboard" in page.locator("main").inner_text()
        browser.close()
