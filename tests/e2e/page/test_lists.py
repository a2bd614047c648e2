"""The list of tasks by keyboard only, without JavaScript, on a narrow screen."""

from wire.types import NewTask, State


def press(page, name, *keys, role="checkbox"):
    """Go on by Tab until a control of this name has the focus, and press keys on it."""
    for _ in range(120):
        page.keyboard.press("Tab")
        if page.get_by_role(role, name=name, exact=True).evaluate("element => element === document.activeElement"):
            for key in keys:
                page.keyboard.press(key)
            return
    raise AssertionError(f"no Tab leads to {name}")


def test_tasks_are_searched_marked_and_cancelled_by_keyboard_without_javascript(scene, open_page):
    url, client, _ = scene("busy")
    tasks = [client.add_task(NewTask(title=f"Lighthouse {number}")) for number in (1, 2, 3)]
    page = open_page(url, client, "/tasks", java_script_enabled=False, viewport={"width": 320, "height": 700})
    press(page, "Words", role="searchbox")
    page.keyboard.type("lighthouse")
    page.keyboard.press("Enter")
    page.wait_for_url("**/tasks?words=lighthouse*")
    assert page.locator("ul.marked li").count() == 3
    press(page, "Mark Lighthouse 1", "Space")
    press(page, "What to do", "ArrowDown", role="combobox")
    press(page, "Show what would happen", "Enter", role="button")
    page.wait_for_url("**/tasks/bulk?*")
    assert page.get_by_role("heading", level=1).inner_text() == "Cancel this task?"
    assert client.task(tasks[0].id).state is State.QUEUED
    press(page, "Cancel this task", "Enter", role="button")
    page.wait_for_url("**/tasks/bulk")
    assert page.get_by_role("heading", level=1).inner_text() == "Done to 1 of 1 tasks"
    assert [client.task(task.id).state for task in tasks] == [State.CANCELLED, State.QUEUED, State.QUEUED]
    page.get_by_role("navigation").get_by_text("Tasks").focus()
    page.get_by_role("link", name="Tasks").last.click()
    assert page.get_by_role("searchbox", name="Words").input_value() == "lighthouse"
