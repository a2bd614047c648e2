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


ALIKE = """() => {
    const kind = each =>
        `<${each.localName} ${each.className} ${each.getAttributeNames()}>${[...each.children].map(kind).join("")}</>`;
    for (const list of [...document.querySelectorAll("ul, ol, dl, tbody, svg, svg g")].reverse()) {
        const seen = {};
        for (const row of [...list.children]) {
            seen[kind(row)] = (seen[kind(row)] ?? 0) + 1;
            if (seen[kind(row)] > 2) row.remove();
        }
    }
}"""
"""Leaves two rows of each kind: what has the same elements, classes and attributes is alike to rules and styles."""


def violations(page, rules=ALL, where="html"):
    """What axe finds, in a line each."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    return page.evaluate(LOOK, [where, rules])


def fold(page, *, is_open):
    """Fold or unfold all that can be; returns how much that is."""
    return page.evaluate(
        "is_open => [...document.querySelectorAll('details')].map(each => { each.open = is_open }).length", is_open
    )


def paths(name, named):
    """The pages of a scene; those that are alike in all of them are the busy one's."""
    kinds = {"session": "/sessions/"}
    lists = ("/tasks", "/tasks/bulk?all=yes&do=cancel", "/tasks/bulk?do=retry")
    alike = ("/add", "/nothing", "/tasks?words=room&least=much") if name == "busy" else ()
    return ["/", *lists, *alike, *(kinds.get(kind, "/tasks/") + each for kind, each in named.items())]


@pytest.mark.parametrize("name", ["empty", "busy", "trouble"])
def test_axe_finds_no_violation(scene, open_page, name):
    url, client, named = scene(name)
    page = open_page(url, client)
    for path in paths(name, named):
        page.goto(url + path)
        can_fold = fold(page, is_open=True)
        for width in WIDTHS:
            shown(page, width, "light")
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (width, path)
        page.evaluate(ALIKE)
        for width, theme in product(WIDTHS, THEMES):
            shown(page, width, theme)
            assert violations(page, RULES[theme]) == [], (theme, width, path)
        if not can_fold:
            continue
        fold(page, is_open=False)
        for width in WIDTHS:
            shown(page, width, "light")
            assert violations(page, NO_COLOURS) == [], (width, path)
            for theme in THEMES:
                shown(page, width, theme)
                # All else that has a colour has it unfolded, too.
                assert violations(page, ONLY_COLOURS, "summary") == [], (theme, width, path)


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
    # Also in a row of a long list, which is not like its others.
    rows = "<li>a</li>" * 40 + "<li><input></li>" + "<li>b</li>"
    page.evaluate("rows => { document.querySelector('main').innerHTML = `<ul>${rows}</ul>` }", rows)
    page.evaluate(ALIKE)
    assert page.locator("main li").count() == 3
    assert any(line.startswith("label: ") for line in violations(page))


def test_axe_finds_no_violation_where_one_signs_in(scene, chromium):
    url, client, _ = scene("empty")
    context = chromium.new_context(viewport={"width": 320, "height": 800})
    for path in ("/", client.invite("anna").path, "/sign-in/spent"):
        page = context.new_page()
        page.goto(url + path)
        assert violations(page) == [], path
    context.close()
