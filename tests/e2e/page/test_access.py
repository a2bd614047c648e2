"""No violation of axe's rules: in both themes, on both widths, in each scene, on each kind of page."""

from itertools import product

import pytest
from axe_playwright_python.base import AXE_SCRIPT

WIDTHS, THEMES = (320, 1280), ("light", "dark")
COLOURS = ("color-contrast", "link-in-text-block")
"""The rules that a theme can break: two thirds of what axe takes."""
ALL, NO_COLOURS = {}, {"rules": {rule: {"enabled": False} for rule in COLOURS}}
ONLY_COLOURS = {"runOnly": COLOURS}
RULES = {"light": ALL, "dark": ONLY_COLOURS}
LOOK = """async ([where, options]) => {
    if (!document.querySelector(where)) return [];
    const found = await axe.run({ include: [[where]] }, { resultTypes: ["violations"], ...options });
    return found.violations.flatMap(rule => rule.nodes.map(node => `${rule.id}: ${node.html.slice(0, 120)}`));
}"""


def violations(page, rules=ALL, where="html"):
    """What axe finds, in a line each."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    return page.evaluate(LOOK, [where, rules])


def unfold(page):
    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true })")


def paths(named):
    kinds = {"session": "/sessions/"}
    lists = ("/tasks", "/tasks?words=room&least=much", "/tasks/bulk?all=yes&do=cancel", "/tasks/bulk?do=retry")
    return ["/", "/add", "/nothing", *lists, *(kinds.get(kind, "/tasks/") + each for kind, each in named.items())]


@pytest.mark.parametrize("name", ["empty", "busy", "trouble"])
def test_axe_finds_no_violation(scene, open_page, name):
    url, client, named = scene(name)
    page = open_page(url, client)
    for path in paths(named):
        page.goto(url + path)
        for width in WIDTHS:
            shown(page, width, "light")
            assert violations(page, NO_COLOURS) == [], (width, path)
            for theme in THEMES:
                shown(page, width, theme)
                # All else that has a colour has it unfolded, too.
                assert violations(page, ONLY_COLOURS, "summary") == [], (theme, width, path)
        unfold(page)
        for width, theme in product(WIDTHS, THEMES):
            shown(page, width, theme)
            assert violations(page, RULES[theme]) == [], (theme, width, path)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (theme, width, path)


def shown(page, width, theme):
    """Show the page that is there on this width and in this theme: neither asks for another page, nor for a script."""
    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme=theme)


def test_axe_finds_no_violation_in_a_refused_form_and_in_a_page_that_is_lost(scene, open_page):
    url, client, named = scene("busy")
    for theme in THEMES:
        page = open_page(url, client, f"/tasks/{named['task']}", color_scheme=theme)
        page.get_by_text("Change priority or budget").click()
        page.get_by_label("Dollars in all").fill("0.10")
        page.get_by_role("button", name="Change").click()
        assert violations(page, RULES[theme]) == [], theme
        page.goto(url)
        # Once it is live; before, a page that finds itself again is loaded anew.
        page.locator("#live-state", has_text="Live.").wait_for()
        page.evaluate("document.getElementById('lost').hidden = false")
        page.evaluate("document.getElementById('lost').textContent = 'No longer live'")
        assert violations(page, RULES[theme]) == [], theme


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
