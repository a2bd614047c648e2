"""The health check's look at a host: each part by itself, and what fails says why."""

import os

import pytest

from provision.onhost import checkup

ASKED = {"queue": "unix:/nowhere/queue.sock", "units": ["jada-agent.service"], "hours": 24, "token": "token.json"}


def test_a_part_that_cannot_be_looked_at_says_why_and_takes_no_other_with_it():
    def broken():
        raise checkup.Unseen("no such thing")

    assert checkup._seen(broken) == {"unknown": "no such thing"}
    assert checkup._seen(lambda: 1) == {"seen": 1}
    assert checkup._seen(lambda: {}["x"])["unknown"]


@pytest.mark.process
def test_without_a_queue_its_parts_are_unknown_and_the_others_are_seen():
    seen = checkup.main(ASKED)
    assert seen["memory"]["seen"]["total"] > seen["memory"]["seen"]["available"] > 0
    assert seen["disk"]["seen"]["total"] > 0
    assert seen["host"]["seen"]["uptime_s"] > 0
    for name in ("ready", "tasks", "sync_runs", "rates", "wellness", "notifications"):
        assert "unknown" in seen[name], name


def test_the_token_tells_its_kind_and_age_and_nothing_else(tmp_path):
    path = tmp_path / "token.json"
    path.write_text('{"refresh_token": "1//secret", "type": "authorized_user"}')
    os.utime(path, (1000, 1000))
    assert checkup._token(path) == {"kind": "authorized_user", "since": 1000.0}
    path.write_text("1//secret")
    with pytest.raises(checkup.Unseen, match="is not JSON") as caught:
        checkup._token(path)
    assert "1//secret" not in str(caught.value)
    with pytest.raises(checkup.Unseen, match="there is no secret"):
        checkup._token(tmp_path / "gone.json")


def test_lists_that_a_fetch_takes_away_meanwhile_count_no_more(tmp_path):
    assert checkup.fetched_at(tmp_path) is None
    for name, at in (("a_InRelease", 1000), ("b_Release", 2000)):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (at, at))
    (tmp_path / "c_InRelease").symlink_to("gone")  # listed, and not there to be looked at
    assert checkup.fetched_at(tmp_path) == 2000.0
