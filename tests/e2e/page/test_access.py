"""No violation of axe's rules: in both themes, on both widths, in each scene, on each kind of page."""

import pytest
from axe_playwright_python.sync_playwright import Axe

WIDTHS, THEMES = (320, 1280), ("light", "dark")
OPTIONS = {"resultTypes": ["violations"]}


def violations(page):
    """What axe finds, in a line each."""
    found = Axe().run(page, options=OPTIONS).response["violations"]
    return [f"{rule['id']}: {node['html'][:120]}" for rule in found for node in rule["nodes"]]


def unfold(page):
    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true })")


def paths(named):
    kinds = {"session": "/sessions/"}
    lists = ("/tasks", "/tasks?words=room&least=much", "/tasks/bulk?all=yes&do=cancel", "/tasks/bulk?do=retry")
    return ["/", "/add", "/nothing", *lists, *(kinds.get(kind, "/tasks/") + each for kind, each in named.items())]


@pytest.mark.parametrize("name", ["empty", "busy", "trouble"])
def test_axe_finds_no_violation(scene, open_page, name):
    url, client, named = scene(name)
    for theme in THEMES:
        page = open_page(url, client, color_scheme=theme)
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 800})
            for path in paths(named):
                page.goto(url + path)
                for act in (lambda page: None, unfold):
                    act(page)
                    assert violations(page) == [], (theme, width, path)
                assert page.evaluate("document.documentElement.scrollWidth") <= width, (theme, width, path)


def test_axe_finds_no_violation_in_a_refused_form_and_in_a_page_that_is_lost(scene, open_page):
    url, client, named = scene("busy")
    for theme in THEMES:
        page = open_page(url, client, f"/tasks/{named['task']}", color_scheme=theme)
        page.get_by_text("Change priority or budget").click()
        page.get_by_label("Dollars in all").fill("0.10")
        page.get_by_role("button", name="Change").click()
        assert violations(page) == [], theme
        page.goto(url)
        # Once it is live; before, a page that finds itself again is loaded anew.
        page.locator("#live-state", has_text="Live.").wait_for()
        page.evaluate("document.getElementById('lost').hidden = false")
        page.evaluate("document.getElementById('lost').textContent = 'No longer live'")
        assert violations(page) == [], theme


def test_axe_would_find_one(scene, open_page):
    """The rules do run here: a picture without words is found."""
    url, client, _ = scene("empty")
    page = open_page(url, client)
    page.evaluate("document.querySelector('svg[aria-hidden]').removeAttribute('aria-hidden')")
    page.evaluate("document.querySelector('main').insertAdjacentHTML('beforeend', '<input type=text>')")
    assert any(line.startswith("label: ") for line in violations(page))


def test_axe_finds_no_violation_where_one_signs_in(scene, chromium):
    url, client, _ = scene("empty")
    context = chromium.new_context(viewport={"width": 320, "height": 800})
    for path in ("/", client.invite("anna").path, "/sign-in/spent"):
        page = context.new_page()
        page.goto(url + path)
        assert violations(page) == [], path
    context.close()
