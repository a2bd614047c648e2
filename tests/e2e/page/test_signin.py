"""Signing in with a real browser, which decides whether a `__Host-` cookie holds over plain http to a local name."""

from urllib.parse import urlsplit

import pytest
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Route

from local.serve import running
from tests.browser import Browser
from wire.types import NewTask, State


@pytest.fixture
def queue(scene):
    """An empty queue: its page's address by the name that `fab dashboard` prints, and its client."""
    url, client, _ = scene("empty")
    return f"http://jada-local.localhost:{urlsplit(url).port}", client, url


@pytest.fixture
def signed_in(chromium, queue):
    """A page of a browser of its own in which Anna pressed the button of her link, the link, and her cookies."""
    address, client, _ = queue
    context = chromium.new_context()
    page, link = context.new_page(), address + client.invite("anna").path
    page.goto(link)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{address}/")
    yield page, link
    context.close()


def test_the_browser_keeps_the_cookie_for_this_name_only(signed_in, queue):
    page, _ = signed_in
    address, _, url = queue
    assert "anna" in page.locator("header").inner_text()
    (cookie,) = page.context.cookies()
    assert (cookie["name"], cookie["secure"], cookie["httpOnly"]) == ("__Host-jada", True, True)
    assert cookie["domain"] == "jada-local.localhost"
    for other in (url, address.replace("jada-local", "jada-prod")):
        assert page.goto(f"{other}/").status == 401
    assert page.goto(f"{address}/").status == 200


def test_a_preview_spends_nothing_and_the_button_spends_it(chromium, queue):
    address, client, url = queue
    path = client.invite("anna").path
    assert Browser(url)("GET", path).status == 200
    first, second = chromium.new_page(), chromium.new_page()
    for page in (first, second):
        page.goto(address + path)
    first.get_by_role("button", name="Sign in").click()
    first.wait_for_url(f"{address}/")
    # The same link in another window of the same browser, opened before it was spent.
    second.get_by_role("button", name="Sign in").click()
    assert "Each link works once" in second.locator("main").inner_text() or "signed in" in second.content()
    assert second.goto(address + path).status == 410
    for page in (first, second):
        page.context.close()


def test_a_form_of_the_page_acts_in_the_name_of_who_signed_in(signed_in, queue):
    page, _ = signed_in
    address, client, _ = queue
    task = client.add_task(NewTask(title="Not to be worked", not_before="2098-01-01T00:00:00Z"))
    page.goto(f"{address}/tasks/{task.id}")
    page.get_by_text("Cancel this task").click()
    page.get_by_role("button", name="Cancel the task").click()
    page.get_by_text("Cancelled by anna").wait_for()
    assert client.task(task.id).state is State.CANCELLED


@pytest.mark.parametrize("name", ["jada-local.localhost", "127.0.0.1"])
def test_another_programs_page_gets_nothing_done(signed_in, queue, name):
    page, _ = signed_in
    address, client, _ = queue
    task = client.add_task(NewTask(title="t", not_before="2098-01-01T00:00:00Z"))
    form = f'<form method="post" action="{address}/tasks/{task.id}/cancel"><button>Win</button></form>'

    async def foreign(_request):
        return HTMLResponse(form)

    # On another port of the very same name even the cookie comes with it.
    with running(Starlette(routes=[Route("/", foreign)])) as url:
        page.goto(f"http://{name}:{urlsplit(url).port}/")
        with page.expect_response("**/cancel") as answered:
            page.get_by_role("button", name="Win").click()
    assert answered.value.status in (401, 403)
    assert client.task(task.id).state is State.QUEUED


def test_signing_out_ends_it(signed_in, queue):
    page, _ = signed_in
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/sign-in")
    assert page.goto(f"{queue[0]}/").status == 401
    assert "fab dashboard" in page.locator("main").inner_text()


def test_the_page_that_says_how_to_sign_in_has_its_style(chromium, queue):
    page = chromium.new_page()
    refused = []
    page.on("response", lambda answer: refused.append(answer.url) if answer.status >= 400 else None)
    page.goto(f"{queue[0]}/sign-in")
    page.wait_for_load_state("networkidle")
    assert refused == []
    page.context.close()
