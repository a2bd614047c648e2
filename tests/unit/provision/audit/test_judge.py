"""Each row's verdict, and that its good word is withheld where what it rests on was not observed."""

from dataclasses import replace
from datetime import timedelta

import pytest

from provision.audit.judge import RULES, Verdict, judge, worst
from provision.audit.observed import Rest, Seen
from provision.reach.firewall import Opening
from provision.system.units import SERVICES, UNITS
from provision.thresholds import Thresholds
from tests.unit.provision.audit.conftest import (
    NOW,
    PARTS,
    WELL,
    points,
    rates,
    run,
    runs,
    stamp,
    unit,
    with_metric,
    with_part,
    without_part,
)
from wire.types import Notifications, SyncOutcome, Wellness

LIMITS = Thresholds()
AGENT = "jada-agent.service"


def row(seen, name, limits=LIMITS):
    return next(one for one in judge(seen, limits) if one.name == name)


def test_a_host_that_was_observed_whole_and_is_well_is_ok_in_every_row():
    rows = judge(WELL, LIMITS)
    assert {found.verdict for found in rows} == {Verdict.OK}, [r for r in rows if r.verdict != Verdict.OK]
    assert worst(rows).code == 0
    assert not [found for found in rows if found.cure]


RESTS_ON = {
    "instance": replace(WELL, instance=Seen(unknown="no answer")),
    "status checks": with_metric("StatusCheckFailed", []),
    "CPU": with_metric("CPUUtilization", []),
    "burst capacity": replace(WELL, metrics={}),
    "memory": without_part("memory"),
    "load": without_part("host"),
    "disk": without_part("disk"),
    "uptime": without_part("host"),
    "services": without_part("failed"),
    "restarts": without_part("units"),
    "paused": replace(WELL, rest=Seen(unknown="no plan was made")),
    "queue": without_part("ready"),
    "waiting": without_part("tasks"),
    "wellness": with_part("wellness", Wellness(well=False)),
    "sessions": without_part("rates"),
    "turn limit": without_part("rates"),
    "sync": with_part("sync_runs", runs()),
    "token": with_part("sync_runs", runs(run(10, SyncOutcome.FAILED))),
    "secrets": with_part("secrets", {}),
    "logs": with_part("journal", {**PARTS["journal"], "lines": 0}),
    "drift": replace(WELL, drift=Seen(unknown="uv is not on PATH")),
    "doors": replace(WELL, cidrs=Seen(unknown="made by an earlier release")),
    "updates": with_part("updates", {**PARTS["updates"], "fetched": NOW.timestamp() - 8 * 86400}),
    "notified": without_part("notifications"),
}


@pytest.mark.parametrize("name", RULES)
def test_a_good_word_is_withheld_where_what_it_rests_on_was_not_observed(name):
    found = row(RESTS_ON[name], name)
    assert found.verdict is Verdict.UNKNOWN
    assert found.said
    assert found.cure
    assert worst(judge(RESTS_ON[name], LIMITS)).code >= 3


@pytest.mark.parametrize("name", sorted(PARTS))
def test_a_part_that_another_release_answers_otherwise_is_not_known(name):
    rows = judge(with_part(name, object()), LIMITS)
    assert any(found.verdict is Verdict.UNKNOWN for found in rows)


WORSE = [
    ("instance", replace(WELL, instance=Seen("stopped")), Verdict.BAD, "stopped"),
    ("status checks", with_metric("StatusCheckFailed", points(1.0, 110, 1)), Verdict.BAD, "110 of 110 failed"),
    (
        "status checks",
        with_metric("StatusCheckFailed", [*points(1.0, 110, 1)[:5], *points(0.0, 110, 1)[5:]]),
        Verdict.LOOK,
        "5 of 110 failed",
    ),
    ("CPU", with_metric("CPUUtilization", points(30.0)), Verdict.LOOK, "30.00 % on average"),
    ("CPU", with_metric("CPUUtilization", points(90.0)), Verdict.BAD, "90.00 %"),
    ("burst capacity", with_metric("BurstCapacityPercentage", points(40.0)), Verdict.LOOK, "40 % left"),
    ("burst capacity", with_metric("BurstCapacityPercentage", points(3.0)), Verdict.BAD, "3 % left"),
    ("memory", with_part("memory", {"total": 1000, "available": 150}), Verdict.LOOK, "85 %"),
    ("memory", with_part("memory", {"total": 1000, "available": 10}), Verdict.BAD, "99 %"),
    ("load", with_part("host", {**PARTS["host"], "load": [0, 0, 3.0]}), Verdict.LOOK, "3.00"),
    ("load", with_part("host", {**PARTS["host"], "load": [0, 0, 9.0]}), Verdict.BAD, "9.00"),
    ("disk", with_part("disk", {**PARTS["disk"], "free": 3 << 30}), Verdict.BAD, "92 %"),
    ("disk", with_part("disk", {**PARTS["disk"], "inodes_free": 10}), Verdict.BAD, "inodes 99 %"),
    ("uptime", with_part("host", {**PARTS["host"], "uptime_s": 600.0}), Verdict.LOOK, "booted lately"),
    ("uptime", with_part("host", {**PARTS["host"], "reboot_required": True}), Verdict.LOOK, "waits for a reboot"),
    (
        "services",
        with_part("units", {**PARTS["units"], AGENT: unit(ActiveState="activating")}),
        Verdict.BAD,
        "jada-agent.service is activating",
    ),
    ("services", with_part("failed", ["cron.service"]), Verdict.BAD, "cron.service failed"),
    (
        "restarts",
        with_part("units", {**PARTS["units"], AGENT: unit(NRestarts="2")}),
        Verdict.LOOK,
        "jada-agent 2 times",
    ),
    ("restarts", with_part("units", {**PARTS["units"], AGENT: unit(NRestarts="83")}), Verdict.BAD, "83"),
    (
        "queue",
        with_part("tasks", [{"id": "1", "title": "x", "state": "queued", "since": stamp(NOW - timedelta(hours=30))}]),
        Verdict.LOOK,
        "the oldest for 30.0 h",
    ),
    (
        "waiting",
        with_part("tasks", [{"id": "1", "title": "out of step", "state": "needs_you", "waits_for": "alarm"}]),
        Verdict.BAD,
        "alarm: “out of step”",
    ),
    ("waiting", with_part("tasks", [{"id": "1", "title": "x", "state": "failed"}]), Verdict.LOOK, "1 failed"),
    ("wellness", with_part("wellness", Wellness(well=False, complaints=("no worker",))), Verdict.BAD, "no worker"),
    ("sessions", with_part("rates", rates(failed=2)), Verdict.LOOK, "2 failed (20 %)"),
    ("sessions", with_part("rates", rates(failed=4)), Verdict.BAD, "4 failed (40 %)"),
    ("turn limit", with_part("rates", rates(begun=3, hits=2)), Verdict.BAD, "2 of 3 sessions within 24 hours"),
    ("sync", with_part("sync_runs", runs(run(50))), Verdict.LOOK, "silent for 50 min"),
    (
        "sync",
        with_part("sync_runs", runs(run(240))),
        Verdict.BAD,
        "silent for 4.0 h: no run was reported since 2026-05-13",
    ),
    (
        "sync",
        with_part("sync_runs", runs(run(5, SyncOutcome.FAILED, cause="the token was revoked"), run(240))),
        Verdict.BAD,
        "failed: the token was revoked; no success since 2026-05-13 14:00",
    ),
    (
        "token",
        with_part("sync_runs", runs(run(5, token_dies_at=stamp(NOW + timedelta(hours=9))))),
        Verdict.BAD,
        "dies in 9.0 h",
    ),
    (
        "secrets",
        with_part("secrets", {**PARTS["secrets"], "/home/jada/secrets": ["0755", "root"]}),
        Verdict.BAD,
        "/home/jada/secrets is 0755 of root, not 0700",
    ),
    (
        "secrets",
        with_part("secrets", {**PARTS["secrets"], "/home/jada/secrets/anthropic_api_key": ["0644", "jada"]}),
        Verdict.BAD,
        "is 0644 of jada, not 0600",
    ),
    (
        "logs",
        with_part(
            "journal",
            {**PARTS["journal"], "patterns": [{"count": 8, "sample": "HTTP Error 400", "pattern": "HTTP Error 400"}]},
        ),
        Verdict.LOOK,
        "8 ×: HTTP Error 400",
    ),
    ("drift", replace(WELL, drift=Seen([("write", "/etc/x")])), Verdict.LOOK, "a deploy would write /etc/x"),
    (
        "doors",
        replace(WELL, doors=Seen([Opening("tcp", 80, 80, ("0.0.0.0/0",))])),
        Verdict.BAD,
        "tcp/80 from 0.0.0.0/0",
    ),
    ("doors", replace(WELL, doors=Seen([Opening("tcp", 22, 22, ("::/0",))])), Verdict.BAD, "tcp/22 from ::/0"),
    (
        "doors",
        replace(WELL, doors=Seen([Opening("tcp", 22, 22, ("198.51.100.1/32",))])),
        Verdict.BAD,
        "198.51.100.1/32",
    ),
    (
        "updates",
        with_part("updates", {**PARTS["updates"], "pending": ["ssl", "vim"], "security": ["ssl"]}),
        Verdict.LOOK,
        "1 security updates and 1 others",
    ),
    ("notified", with_part("notifications", Notifications(targets=())), Verdict.LOOK, "no user is told"),
    ("notified", with_part("notifications", Notifications(targets=("a",), unsent=2)), Verdict.BAD, "2 messages unsent"),
]


@pytest.mark.parametrize(("name", "seen", "verdict", "said"), WORSE, ids=[f"{one[0]}: {one[3]}" for one in WORSE])
def test_what_is_worse_is_said_with_a_cure(name, seen, verdict, said):
    found = row(seen, name)
    assert found.verdict is verdict
    assert said in found.said
    assert found.cure


def test_a_unit_that_ends_by_itself_is_well_at_rest_and_not_where_its_last_run_failed():
    ending = [name for name in UNITS if name not in SERVICES]
    assert ending
    at_rest = {name: unit(ActiveState="inactive") for name in ending}
    assert row(with_part("units", {**PARTS["units"], **at_rest}), "services").verdict is Verdict.OK
    failed = {ending[0]: unit(ActiveState="failed", Result="exit-code")}
    assert row(with_part("units", {**PARTS["units"], **failed}), "services").verdict is Verdict.BAD


def test_what_someone_paused_is_said_once_and_is_no_failure():
    stopped = with_part("units", {**PARTS["units"], AGENT: unit(ActiveState="inactive")})
    assert row(stopped, "services").verdict is Verdict.BAD
    paused = replace(stopped, rest=Seen(Rest((AGENT,), ("jada-agent: paused by anna since noon",))))
    assert row(paused, "services").verdict is Verdict.OK
    assert "jada-agent" not in row(paused, "services").said
    found = row(paused, "paused")
    assert (found.verdict, "by anna" in found.said) == (Verdict.LOOK, True)


def test_a_box_on_which_no_session_began_has_nothing_to_judge_there():
    idle = with_part("rates", replace_periods(begun=0, hits=0))
    assert row(idle, "sessions").verdict is Verdict.NONE
    assert row(idle, "turn limit").verdict is Verdict.NONE
    assert worst(judge(idle, LIMITS)).code == 0


def replace_periods(**figures):
    from tests.unit.provision.audit.conftest import counted  # noqa: PLC0415 - used here only

    found = rates()
    return type(found)(turns=30, periods=(counted(24, **figures), counted(168, **figures)), days=found.days)


def test_a_sync_that_is_not_set_up_is_no_news():
    off = with_part("sync_runs", runs(run(900, SyncOutcome.OFF)))
    without = replace(off, parts={**off.parts, "token": Seen(unknown="there is no secret port_sheet_token.json")})
    assert {row(without, name).verdict for name in ("sync", "token")} == {Verdict.NONE}


def test_an_outcome_that_this_release_does_not_know_is_no_success():
    assert row(with_part("sync_runs", runs(run(5, SyncOutcome("dreamt")))), "sync").verdict is Verdict.BAD


def test_a_metric_whose_last_point_is_old_says_nothing_of_now():
    old = [replace(point, at=point.at - timedelta(hours=1)) for point in points(0.5)]
    found = row(with_metric("CPUUtilization", old), "CPU")
    assert (found.verdict, "Lightsail's last CPUUtilization is of" in found.said) == (Verdict.UNKNOWN, True)


def test_a_task_that_is_not_due_yet_is_not_held_against_the_queue():
    later = {"id": "1", "title": "x", "state": "queued", "since": stamp(NOW - timedelta(days=9))}
    seen = with_part("tasks", [{**later, "not_before": stamp(NOW + timedelta(days=1))}])
    assert row(seen, "queue").verdict is Verdict.OK


def test_a_door_that_this_command_holds_open_is_no_stranger():
    mine = replace(WELL, doors=Seen([Opening("tcp", 22, 22, ("203.0.113.7/32", "198.51.100.1/32"))]))
    assert row(mine, "doors").verdict is Verdict.BAD
    assert row(replace(mine, held=("198.51.100.1/32",)), "doors").verdict is Verdict.OK


def test_the_rule_of_thirty_percent_is_a_setting():
    over = with_part("rates", rates(begun=10, hits=4))
    assert row(over, "turn limit").verdict is Verdict.BAD
    assert row(over, "turn limit", Thresholds(turn_limit_percent=40)).verdict is Verdict.OK


def test_bad_news_outweighs_what_is_not_known_and_that_what_to_look_at():
    assert [one.code for one in (Verdict.OK, Verdict.NONE, Verdict.LOOK, Verdict.UNKNOWN, Verdict.BAD)] == [
        0,
        0,
        2,
        3,
        4,
    ]
    both = replace(with_part("failed", ["cron.service"]), drift=Seen(unknown="no plan"))
    assert worst(judge(both, LIMITS)) is Verdict.BAD
    assert worst([]) is Verdict.UNKNOWN
