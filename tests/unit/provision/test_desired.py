"""Rows of the table: what counts as a difference, what a deploy brings back, what is said of the others."""

import pytest

from provision import desired
from provision.desired import Row, described, differences

FILE = Row("file", "/etc/x", {"content": "1", "rights": "0644 root:root"}, "write")
SETTING = Row("sshd", "x", "no", cure="mend the other file", settled_by="file /etc/x")
RELOAD = Row("in force", "ssh.service", want=True, repair="reload", cure="mend first", waits_for="sshd")
CRON = Row("area", "cron", {}, cure="undo it", give={"look": "area"}, as_found=True)


def _differing(*seen):
    found = {}
    for row, what in seen:
        found.setdefault(row.look, {})[row.name] = what
    return differences([row for row, _ in seen], found)


def test_what_is_seen_may_have_more_than_is_wanted_and_not_less():
    assert _differing((FILE, {**FILE.want, "more": "2"})) == ()
    (less,) = _differing((FILE, {"content": "1", "rights": "0666 root:root"}))
    assert described(less) == (
        "file /etc/x: rights is 0666 root:root, and not 0644 root:root; `fab deploy` brings it back"
    )


def test_no_digest_is_said():
    (changed,) = _differing((FILE, {**FILE.want, "content": "2"}))
    assert described(changed) == "file /etc/x: its content differs; `fab deploy` brings it back"


def test_a_setting_comes_back_with_its_file_and_where_it_does_not_the_cure_is_said():
    file, setting = _differing((FILE, None), (SETTING, "yes"))
    assert (file.repair, setting.repair, setting.comes_back) == ("write", None, True)
    assert "brings back the file /etc/x; where it is so even then: mend the other file" in described(setting)
    (alone,) = _differing((FILE, FILE.want), (SETTING, "yes"))
    assert not alone.comes_back
    assert described(alone) == "sshd x: it is yes, and not no; mend the other file"


def test_a_daemon_is_not_reloaded_while_its_files_say_what_they_should_not():
    _, reload = _differing((SETTING, "yes"), (RELOAD, False))
    assert (reload.repair, reload.comes_back) == (None, False)
    assert described(reload).endswith("; mend first")
    (alone,) = _differing((SETTING, "no"), (RELOAD, False))
    assert alone.repair == "reload"


def test_surroundings_are_recorded_once_and_then_named():
    (first,) = _differing((CRON, None))
    assert (first.repair, first.comes_back) == ("record", True)
    (changed,) = _differing((CRON, {"/etc/cron.d/x": "is new"}))
    assert (changed.repair, changed.comes_back) == (None, False)
    assert described(changed) == "area cron: /etc/cron.d/x is new; undo it"
    assert _differing((CRON, {})) == ()


def test_a_host_with_little_memory_gets_swap_in_a_line_of_the_plan():
    (row,) = (row for row in desired.common() if row.look == "swap file")
    assert _differing((row, None)) == ()
    assert _differing((row, "in use")) == ()
    (differing,) = _differing((row, "914 MB of memory, and no swap"))
    said = [*desired.changes([differing], "admin")]
    assert said == [("make", "a swap file /swapfile of 1024 MB: 914 MB of memory, and no swap")]
    assert "/swapfile" in desired.ours()


def test_what_was_not_looked_at_is_no_difference():
    assert differences([FILE], {}) == ()


@pytest.mark.parametrize("row", desired.of_any_blueprint(), ids=lambda row: row.id)
def test_each_row_says_what_helps(row):
    assert row.repair or row.cure
    assert row.want is not True or row.look in desired.UNTRUE


def test_each_row_has_a_name_of_its_own():
    names = [row.id for row in desired.of_any_blueprint()]
    assert len(names) == len(set(names))
