from concurrent.futures import ThreadPoolExecutor

import pytest

from local.process import wait_until
from provision.onhost import durable, found
from tests.locks import is_waited_for

CRON = {"/etc/cron.d": "0755 root:root folder", "/etc/cron.d/a": "0644 root:root 1234"}


def test_what_came_went_and_changed_is_told():
    now = {**CRON, "/etc/cron.d/b": "0644 root:root 5678", "/etc/cron.d/a": "0644 root:root 9999"}
    assert found.differing(CRON, now) == {"/etc/cron.d/a": "was changed", "/etc/cron.d/b": "is new"}
    assert found.differing(CRON, {}) == {"/etc/cron.d/a": "is gone"}
    assert found.differing(CRON, CRON) == {}


def test_other_rights_are_told_with_both():
    now = {**CRON, "/etc/cron.d": "0777 root:root folder", "/etc/cron.d/a": "0644 jada:root 1234"}
    assert found.differing(CRON, now) == {
        "/etc/cron.d": "was 0755 root:root, is 0777 root:root",
        "/etc/cron.d/a": "was 0644 root:root, is 0644 jada:root",
    }


@pytest.mark.parametrize("before", ["321868206652", "000000000755", "0e1234567890", "0644", "0644 root:root"])
def test_a_fingerprint_without_letters_is_no_mode_and_stays_on_the_host(before):
    assert found.differing({"token": before}, {"token": "68b75a713b18"}) == {"token": "was changed"}
    assert found.differing({"token": "68b75a713b18"}, {"token": before}) == {"token": "was changed"}


def test_what_a_step_of_ours_changed_is_carried_into_the_record_and_what_a_hand_did_is_not():
    recorded = {"area cron": {"a": "1", "mine": "1"}}
    before = {"area cron": {"a": "by hand", "mine": "1"}}
    after = {"area cron": {"a": "by hand", "mine": "2", "new": "3"}}
    assert found.followed(before, after, recorded) == {"area cron": {"a": "1", "mine": "2", "new": "3"}}
    assert found.followed(before, {"area cron": {"a": "by hand"}}, recorded) == {"area cron": {"a": "1"}}
    assert found.followed(before, before, recorded) == {}  # another program may have recorded that row meanwhile


def test_a_record_is_kept_row_by_row_and_compared(tmp_path):
    path = tmp_path / "found.json"
    assert found.compared("held packages", "by a hand", (), path) is None
    found.keep([("held packages", "by a hand")], (), path)
    found.record(path, {"area cron": CRON})
    assert found.compared("held packages", "by a hand", (), path) == {}
    assert set(found.read(path)) == {"held packages by a hand", "area cron"}
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.process
def test_two_that_record_at_one_moment_both_have_their_rows(tmp_path):
    """As a deploy and `fab secrets`."""
    path, deploys = tmp_path / "found.json", tmp_path / "deploys"
    with ThreadPoolExecutor() as pool:
        with durable.locked(deploys):
            other = pool.submit(found.record, path, {"secret token": {"t": "2"}})
            assert wait_until(lambda: other.done() or is_waited_for(deploys), 60)
            durable.write(path, b'{"area cron": {"a": "1"}}', 0o600)
        other.result()
    assert found.read(path) == {"area cron": {"a": "1"}, "secret token": {"t": "2"}}
    assert deploys.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("torn", ["", "{", "[]"])
def test_a_torn_record_is_none(tmp_path, torn):
    (tmp_path / "found.json").write_text(torn)
    assert found.read(tmp_path / "found.json") == {}
