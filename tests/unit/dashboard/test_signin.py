"""Signing in to the page: by a link that works once, and only for what its own pages send."""

import re
from datetime import timedelta

import pytest
import urllib3

from dashboard.application import create
from dashboard.settings import Settings
from dashboard.signin import CODES, COOKIE, SIGN_INS, SignIns
from local.serve import running
from tests.browser import Browser
from tests.tokens import accepting
from wire.types import NewTask, State


@pytest.fixture
def browser(url):
    """A browser that has not signed in."""
    return Browser(url)


@pytest.fixture
def anna(url, token):
    """Anna's browser, signed in."""
    return Browser(url, token)


@pytest.fixture
def link(client):
    """A link that signs in as Anna."""
    return client.invite("anna").path


@pytest.mark.parametrize("path", ["/", "/tasks/x", "/sessions/x", "/tasks/x/files/a", "/nothing", "/sign-in/a/b"])
def test_without_signing_in_nothing_is_shown_but_how_to(browser, path):
    page = browser("GET", path)
    assert page.status == 401
    assert b"fab dashboard" in page.data
    assert b'action="/tasks' not in page.data


@pytest.mark.parametrize("path", ["/tasks", "/tasks/x/cancel", "/sign-out"])
def test_without_signing_in_nothing_is_taken(browser, client, path):
    assert browser("POST", path, fields={"title": "t", "sessions": "1", "dollars": "1"}).status == 401
    assert not list(client.tasks())


def test_the_button_behind_a_link_signs_in_and_the_page_says_whom(browser, link):
    answer = browser.open(link)
    assert (answer.status, answer.headers["Location"]) == (303, "/")
    page = browser("GET", "/")
    assert page.status == 200
    assert b"anna" in page.data


def test_the_cookie_is_bound_to_this_name_and_hidden_from_scripts(browser, link):
    sent = browser.open(link).headers["Set-Cookie"]
    assert sent.startswith(f"{COOKIE}=")
    assert {"HttpOnly", "Secure", "Path=/", "SameSite=lax", "Max-Age=604800"} <= set(sent.split("; "))
    assert "Domain" not in sent


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_preview_does_not_spend_a_link(browser, link, method):
    for _ in range(3):
        assert browser(method, link).status == 200
    assert browser.open(link).status == 303


def test_a_link_works_once(browser, url, link):
    browser.open(link)
    second = Browser(url)
    assert second.open(link).status == 410
    assert (second.cookie, second("GET", link).status, second("GET", "/").status) == ("", 410, 401)


def test_a_link_works_for_five_minutes(browser, clock, link):
    clock.go_on(seconds=299)
    assert browser("GET", link).status == 200
    clock.go_on(seconds=1)
    assert (browser("GET", link).status, browser.open(link).status, browser.cookie) == (410, 410, "")


def test_a_code_that_never_was_signs_no_one_in(browser):
    for code in ("", "x", "é"):
        assert browser.open(f"/sign-in/{code}").status == 410
    assert browser("GET", "/").status == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null", "Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {},
    ],
)
def test_another_sites_page_can_not_press_the_button(browser, link, headers):
    sent = browser("POST", "/sign-in", fields={"code": link.rpartition("/")[2]}, headers=headers)
    assert (sent.status, "Set-Cookie" in sent.headers) == (403, False)
    assert browser.open(link).status == 303


def cancelled(browser, client, fields=None, **headers):
    """The status of a form that cancels a task, and the state in which it leaves the task."""
    task = client.add_task(NewTask(title="t"))
    sent = {"Cookie": f"{COOKIE}={browser.cookie}", **headers}
    answer = urllib3.request(
        "POST", f"{browser.url}/tasks/{task.id}/cancel", fields=fields, headers=sent, redirect=False
    )
    return answer.status, client.task(task.id).state


def test_a_form_needs_the_token_of_its_own_sign_in(anna, client, url, token):
    other = Browser(url, token, "ben")
    own = {"Origin": url}
    for wrong in ({}, {"csrf": ""}, {"csrf": "00"}, {"csrf": "z"}, {"csrf": other.csrf()}, {"csrf": "0" * 128}):
        assert cancelled(anna, client, wrong, **own) == (403, State.QUEUED)
    assert cancelled(anna, client, {"csrf": anna.csrf()}, **own) == (303, State.CANCELLED)
    assert cancelled(anna, client, {"csrf": anna.csrf()}, **{"Sec-Fetch-Site": "same-origin"}) == (303, State.CANCELLED)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
    ],
)
def test_a_form_must_come_from_the_page_itself_even_with_its_token(anna, client, headers):
    assert cancelled(anna, client, {"csrf": anna.csrf()}, **headers) == (403, State.QUEUED)


def test_each_form_of_the_page_holds_a_token_masked_anew(anna, client):
    task = client.add_task(NewTask(title="t"))
    found = set()
    for path in ("/add", f"/tasks/{task.id}"):
        page = anna("GET", path).data.decode()
        forms = re.findall(r'<form [^>]*method="post".*?</form>', page, re.DOTALL)
        tokens = [re.search(r'name="csrf" value="([0-9a-f]{128})"', form)[1] for form in forms]
        assert len(tokens) >= 2
        found |= set(tokens)
    assert len(found) == 2
    assert all(token[64:] not in other for token in found for other in found - {token})


def test_signing_out_ends_it_for_whoever_has_the_cookie(anna, url, token):
    copy, other = Browser(url), Browser(url, token)
    copy.cookie = anna.cookie
    answer = anna("POST", "/sign-out")
    assert (answer.status, f'{COOKIE}=""' in answer.headers["Set-Cookie"]) == (303, True)
    assert [each("GET", "/").status for each in (anna, copy, other)] == [401, 401, 200]


def test_signing_in_ends_after_its_days(anna, clock):
    clock.go_on(days=6, hours=23)
    assert anna("GET", "/").status == 200
    clock.go_on(hours=1)
    assert anna("GET", "/").status == 401


@pytest.mark.parametrize("name", ["jada-prod.localhost:8765", "jada-local.localhost"])
def test_the_name_that_fab_prints_is_served(anna, name):
    assert anna("GET", "/", headers={"Host": name}).status == 200


@pytest.mark.parametrize(
    "name", ["jada-prod.localhost.evil.example", "x.jada-prod.localhost", "evil.localhost", "jada-.example"]
)
def test_other_names_are_refused(anna, name):
    assert anna("GET", "/", headers={"Host": name}).status == 421


@pytest.mark.parametrize("name", ["", " ", "a\nb", "x" * 61])
def test_a_name_that_says_nothing_is_refused(url, token, name):
    sent = {"Authorization": f"Bearer {token.reveal()}"}
    assert urllib3.request("POST", f"{url}/v1/sign-ins", json={"name": name}, headers=sent).status == 422


def test_a_link_is_made_for_operators_only(url):
    assert urllib3.request("POST", f"{url}/v1/sign-ins", json={"name": "eve"}).status == 401


def test_a_name_is_shown_as_text(url, token):
    page = Browser(url, token, "<script>alert(1)</script>")("GET", "/")
    assert b"<script>" not in page.data


def test_a_restart_ends_no_sign_in_and_only_hashes_are_kept(store, token, clock, tmp_path):
    def app():
        return create(store, accepting(token), Settings(), clock, access=tmp_path)

    with running(app()) as url:
        browser = Browser(url, token)
    kept = (tmp_path / "sign-ins.json").read_text()
    assert browser.cookie not in kept
    assert "anna" in kept
    assert (tmp_path / "sign-ins.json").stat().st_mode & 0o777 == 0o600
    with running(app()) as url:
        browser.url = url
        assert browser("GET", "/").status == 200
        assert browser("POST", "/sign-out").status == 303
    with running(app()) as url:
        browser.url = url
        assert browser("GET", "/").status == 401


def test_a_damaged_file_lets_no_one_in_and_stops_nothing(clock, tmp_path):
    file = tmp_path / "sign-ins.json"
    first = SignIns(file, clock, 7)
    cookie = first.accept(first.invite("anna").path.rpartition("/")[2])
    assert SignIns(file, clock, 7).visitor(cookie).name == "anna"
    file.write_text(file.read_text()[:-3])
    later = SignIns(file, clock, 7)
    assert later.visitor(cookie) is None
    assert later.accept(later.invite("ben").path.rpartition("/")[2])


def test_there_are_so_many_at_most(clock):
    held = SignIns(None, clock, 7)
    codes = [held.invite("anna").path.rpartition("/")[2] for _ in range(CODES + 1)]
    assert (held.invited(codes[0]), held.invited(codes[1])) == (None, "anna")
    cookies = [held.accept(held.invite("ben").path.rpartition("/")[2]) for _ in range(SIGN_INS + 1)]
    assert held.visitor(cookies[0]) is None
    assert held.visitor(cookies[-1]).name == "ben"


def test_what_is_too_old_leaves_the_file(clock, tmp_path):
    held = SignIns(tmp_path / "sign-ins.json", clock, 1)
    held.accept(held.invite("anna").path.rpartition("/")[2])
    clock.now += timedelta(days=2)
    held.accept(held.invite("ben").path.rpartition("/")[2])
    assert "anna" not in (tmp_path / "sign-ins.json").read_text()
