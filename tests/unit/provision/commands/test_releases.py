from dataclasses import replace

import pytest

from provision.commands import releases

DEPLOY = {
    "run": "r", "who": "ann@desk", "release": "r2", "before": "r1", "plan": "p1", "began": 1_700_000_000.0,
    "ended": None, "outcome": None, "at_work": False,
}  # fmt: skip


def test_each_release_is_listed_with_what_it_is_good_for(worker):
    other = {"lock": "", "units": {}, "damaged": ["manifest.json"]}
    said = list(releases.release_lines(replace(worker, releases={**worker.releases, "release0": other})))
    assert said == [
        "release1  current, proven",
        "release0  not proven, can't be gone back to: damaged are manifest.json",
    ]


def test_a_host_without_a_release_says_what_to_do(fresh):
    assert "fab deploy" in next(releases.release_lines(fresh))


def test_a_deploy_is_a_line_with_its_time_change_plan_and_author():
    said = releases.history_line({**DEPLOY, "outcome": {"proven": "r2"}})
    assert said == "2023-11-14 22:13:20 UTC  r1 → r2  plan p1  by ann@desk: proven"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"outcome": {"proven": "r2"}}, "proven"),
        ({"outcome": {"finished": True}}, "done"),
        ({"outcome": {"failed": "no room\nmore"}}, "failed: no room"),
        ({"outcome": {"reverted": "it ended"}}, "taken back: it ended"),
        ({"outcome": {"superseded": True}}, "deployed, not watched to its proof"),
        ({"outcome": {"deployed": "r2"}, "at_work": True}, "deployed, being watched"),
        ({"outcome": {"deployed": "r2"}}, "deployed, without a last word"),
        ({"at_work": True}, "at work"),
        ({}, "without a last word"),
    ],
)
def test_how_a_deploy_ended_is_its_own_last_word(change, said):
    assert releases.outcome({**DEPLOY, **change}) == said


def test_a_history_without_orders_is_still_a_line():
    unknown = dict.fromkeys(DEPLOY)
    assert releases.history_line(unknown) == "?  nothing → None  plan ?  by ?: without a last word"
