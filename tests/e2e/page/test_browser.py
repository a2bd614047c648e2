"""What the page does in a browser, with JavaScript and without."""

import pytest
from playwright.sync_api import expect

from tests.e2e.page import scenes
from tests.e2e.page.scenes import Clock, Play
from wire.types import Exit, NewTask, Question, SyncOutcome


@pytest.fixture
def busy(scene):
    return scene("busy")


def goes_on(client):
    clock = Clock()
    clock.run()
    clock.go_on = lambda **_: None
    return Play(client, clock)


def held_by(client):
    """The claim of what runs, as its holder knows it."""
    (task,) = [task for task in client.tasks() if task.state == "running"]
    (session,) = client.sessions(task.id)

    class Held:
        pass

    held = Held()
    held.task, held.session, held.lease = task, session, Held()
    held.lease.fence = task.fence
    return held


def test_what_runs_goes_on_before_ones_eyes(busy, open_page):
    url, client, _ = busy
    page = open_page(url, client)
    expect(page.locator("#running")).to_contain_text("turn 11 of 30")
    goes_on(client).work(held_by(client), 2, first=12, commands=("make report",), last=False)
    expect(page.locator("#running")).to_contain_text("turn 13 of 30", timeout=15_000)
    expect(page.locator("#running")).to_contain_text("make report")
    assert open_page.said == []


def test_what_comes_to_wait_appears_and_the_title_counts_it(busy, open_page):
    url, client, _ = busy
    page = open_page(url, client)
    expect(page).to_have_title("(1) jada")
    question = Question(tool_use_id="u9", text="Which week?")
    goes_on(client).end(held_by(client), Exit.ASKED, 11, 9, question=question)
    expect(page.locator("#waiting")).to_contain_text("Which week?", timeout=15_000)
    expect(page.locator("#standing-line")).to_have_text("2 things wait for you", timeout=30_000)
    expect(page).to_have_title("(2) jada")


def test_what_is_being_typed_is_not_replaced_and_the_page_says_that_it_is_old(busy, open_page):
    url, client, _ = busy
    page = open_page(url, client)
    page.get_by_label("Your answer").fill("The reception's is right, be")
    goes_on(client).end(held_by(client), Exit.ASKED, 11, 9, question=Question(tool_use_id="u9", text="Which week?"))
    expect(page.locator("#waiting .changed-note")).to_be_visible(timeout=15_000)
    expect(page.get_by_label("Your answer")).to_have_value("The reception's is right, be")


def test_what_was_unfolded_stays_so_when_its_part_is_made_anew(busy, open_page):
    url, client, _ = busy
    page = open_page(url, client)
    page.get_by_text("The last runs as a table").click()
    expect(page.locator("#sync table")).to_be_visible()
    goes_on(client).sync(SyncOutcome.CHANGED, added=77)
    expect(page.locator("#sync table")).to_contain_text("77", timeout=30_000)
    expect(page.locator("#sync table")).to_be_visible()


def test_good_news_is_withdrawn_when_the_dashboard_is_gone(scene, open_page):
    played = scenes.application("empty")
    url, client, _ = played.__enter__()
    goes_on(client).sync()
    page = open_page(url, client)
    expect(page.locator("#standing-now")).to_have_class("standing good", timeout=30_000)
    expect(page.locator("#live-state")).to_have_text("Live.")
    played.__exit__(None, None, None)
    expect(page.locator("#lost")).to_contain_text("No longer live", timeout=30_000)
    expect(page.locator("#standing-now")).to_have_class("standing unproven")
    expect(page.locator("#standing-line")).to_contain_text("Not known since")


def test_a_task_is_followed_live_and_reported_when_it_ends(busy, open_page):
    url, client, named = busy
    page = open_page(url, client, f"/tasks/{named['task']}")
    goes_on(client).work(held_by(client), 1, first=12, commands=("make report",))
    expect(page.locator("#sessions")).to_contain_text("make report", timeout=15_000)
    goes_on(client).end(held_by(client), Exit.FINISHED, 12, 9, result="It is written.")
    expect(page.locator("#head .badge")).to_have_text("done", timeout=15_000)
    expect(page.locator("#story")).to_contain_text("Session 1 finished")
    assert open_page.said == []


def test_times_are_the_viewers_with_utc_at_hand(busy, open_page):
    url, client, _ = busy
    page = open_page(url, client, timezone_id="Pacific/Auckland", locale="en-NZ")
    time = page.locator("#waiting time").first
    utc = time.get_attribute("title")
    assert utc.endswith(" UTC")
    assert time.inner_text() != utc
    expect(page.locator("#zone")).to_have_text("Pacific/Auckland")
    page.get_by_role("button", name="Show UTC").click()
    expect(time).to_have_text(utc)
    page.reload()
    expect(page.locator("#waiting time").first).to_have_text(utc)


def test_all_can_be_done_without_javascript(busy, open_page):
    url, client, named = busy
    page = open_page(url, client, java_script_enabled=False)
    expect(page.locator("#seen")).to_contain_text("UTC")
    page.get_by_label("Your answer").fill("The reception's")
    page.get_by_role("button", name="Answer").click()
    expect(page.locator(".badge").first).to_have_text("queued")
    page.goto(f"{url}/tasks/{named['asks']}")
    page.get_by_text("Change priority or budget").click()
    page.get_by_label("Priority, 0 to 9").fill("9")
    page.get_by_label("Dollars in all").fill("7.50")
    page.get_by_role("button", name="Change").click()
    expect(page.locator("#head")).to_contain_text("of $7.50")
    page.get_by_text("Cancel this task…").click()
    page.get_by_role("button", name="Cancel the task").click()
    expect(page.locator("#head .badge")).to_have_text("cancelled")
    page.get_by_role("link", name="Add a task").click()
    page.get_by_label("Title").fill("Count the towels")
    page.get_by_role("button", name="Add the task").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Count the towels")


def test_a_refused_change_complains_at_its_field_in_its_labels_words_and_keeps_what_was_typed(busy, open_page):
    url, client, named = busy
    page = open_page(url, client, f"/tasks/{named['task']}")
    page.get_by_text("Change priority or budget").click()
    page.get_by_label("Priority, 0 to 9").fill("8")
    page.get_by_label("Dollars in all").fill("0.10")
    page.get_by_role("button", name="Change").click()
    dollars = page.get_by_label("Dollars in all")
    expect(dollars).to_have_value("0.10")
    expect(dollars).to_have_attribute("aria-invalid", "true")
    expect(page.locator(f"#{dollars.get_attribute('aria-describedby')}")).to_contain_text(
        "Dollars in all must be at least $5.00: so much is used or held."
    )
    expect(page.get_by_label("Priority, 0 to 9")).to_have_value("8")


def test_a_failed_task_is_let_go(scene, open_page):
    url, client, named = scene("trouble")
    page = open_page(url, client)
    expect(page.locator("#waiting .failed")).to_contain_text("bwrap is missing on the host")
    page.goto(f"{url}/tasks/{named['failed']}")
    page.get_by_text("Let it go…").click()
    page.get_by_role("button", name="Let it go").click()
    page.goto(url)
    expect(page.locator("#waiting .failed")).to_have_count(0)


def test_an_alarm_offers_its_cure_and_nothing_that_does_not_help(scene, open_page):
    url, client, _ = scene("trouble")
    page = open_page(url, client)
    alarm = page.locator("#waiting .alarm")
    expect(alarm.locator(".cure")).to_contain_text("re-authenticate: fab reauth")
    expect(alarm.locator("button, input")).to_have_count(0)
    page.get_by_role("link", name="The booking sheet is out of step").first.click()
    expect(page.locator("main")).not_to_contain_text("Cancel this task")
    expect(page.locator("main")).not_to_contain_text("of 5 sessions")


FOCUSED = "document.activeElement.id || document.activeElement.textContent.trim().slice(0, 40)"


def test_every_control_is_reached_and_used_by_keyboard(busy, open_page):
    url, client, _ = busy
    page = open_page(url, client)
    page.locator("body").press("Tab")
    expect(page.locator(":focus")).to_have_text("Skip to content")
    seen = []
    for _ in range(60):
        page.keyboard.press("Tab")
        seen.append(
            page.evaluate("document.activeElement.id || document.activeElement.textContent.trim().slice(0, 40)")
        )
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none" or seen[-1].startswith("jada"), seen[-1]
        if seen[-1] == "utc":
            break
    reachable = page.evaluate(
        "[...document.querySelectorAll('a, button, summary, textarea, input:not([type=hidden])')]"
        ".filter(each => each.checkVisibility()).length"
    )
    assert len(set(seen)) > 15
    assert len(seen) >= reachable - 30  # a list of tasks has links of one name
    page.get_by_label("Your answer").focus()
    page.keyboard.type("The reception's")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Clear up the double booking of room 12")
    assert client.tasks


def test_motion_is_only_for_those_who_want_it(busy, open_page):
    url, client, _ = busy
    moving = "getComputedStyle(document.querySelector('.badge.running'), '::before').animationName"
    still = open_page(url, client, reduced_motion="reduce")
    assert still.evaluate(moving) == "none"
    assert open_page(url, client).evaluate(moving) == "alive"


def test_on_paper_there_is_what_one_reads_and_nothing_to_press(busy, open_page):
    url, client, _ = busy
    page = open_page(url, client, color_scheme="dark")
    page.emulate_media(media="print")
    expect(page.locator("#running")).to_be_visible()
    expect(page.get_by_role("button", name="Answer")).to_be_hidden()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


def test_a_page_with_everything_travels_in_forty_kilobytes(busy, open_page):
    url, client, named = busy
    for path in ("/", f"/tasks/{named['task']}"):
        page = open_page(url, client)
        session = page.context.new_cdp_session(page)
        session.send("Network.enable")
        session.send("Network.setCacheDisabled", {"cacheDisabled": True})
        sizes = {}

        def keep(event, sizes=sizes):
            sizes[event["requestId"]] = event["encodedDataLength"]

        session.on("Network.loadingFinished", keep)
        page.goto(url + path)
        expect(page.locator("#live-state")).to_have_text("Live.")
        assert len(sizes) >= 5
        assert sum(sizes.values()) <= 40 * 1024, sizes


def test_nothing_runs_on_the_page_that_it_did_not_bring(busy, open_page):
    url, client, _ = busy
    page = open_page(url, client)
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.hurt = 1\">')")
    page.evaluate(
        "document.body.append(Object.assign(document.createElement('script'), {textContent: 'window.hurt = 2'}))"
    )
    page.wait_for_timeout(200)
    assert page.evaluate("window.hurt") is None
    client.add_task(NewTask(title="<b hx-get=/nothing hx-trigger=load>bold</b>"))
    expect(page.locator("#tasks")).to_contain_text("<b hx-get=/nothing", timeout=15_000)
