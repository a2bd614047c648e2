"""Who gets to the queue and its page on a real host: through SSH, by a link that works once, in a real browser."""

import pytest
import urllib3
from playwright.sync_api import sync_playwright

from tests import chromium
from wire.client import Client, RequestRefused
from wire.types import NewTask

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


def test_the_link_that_fab_prints_signs_in_once_in_a_real_browser(chain):
    if not chromium.PROGRAM:
        pytest.skip("there is no browser: apt-get install chromium-headless-shell")
    with chain.tunnel() as tunnel, sync_playwright() as driver, chromium.started(driver) as browser:
        link = tunnel.link
        page = browser.new_page()
        page.goto(link)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(f"http://jada-local.localhost:{tunnel.port}/")
        assert "anna" in page.locator("header").inner_text()
        assert browser.new_page().goto(link).status == 410
