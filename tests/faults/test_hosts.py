"""What the sweep on three whole hosts (`make faults`) rests on: that it would see what is untrue, and read what hosts
were acknowledged as they write it; and its settings.
"""

import tomllib
from dataclasses import replace

import msgspec
import pytest

from agent.daemon.outcome import Progress
from agent.settings import read as agent_settings
from dashboard.settings import read as dashboard_settings
from doubles.claude.script import load
from local import environment
from tests.faults import hosts
from tests.faults.witness import Called, Noted, Result, Seen, look, sign, untrue
from wire.types import Event, EventKind, HostDayUse
from wire.values import dump

DAY = "2026-05-13"
DONE = Result(fence=2, version=5, text="counted", files=("boats.txt",))
EVENTS = [
    Event(n=1, at="2026-05-13T12:00:00Z", kind=EventKind.HEADER, data={"model": "m"}),
    Event(n=2, at="2026-05-13T12:00:01Z", kind=EventKind.STREAM, data={"raw": "…"}),
    Event(n=3, at="2026-05-13T12:00:02Z", kind=EventKind.SETTLE, data={"usd_micros": 3}),
]


def signed(event):
    return sign(msgspec.to_builtins(event))


@pytest.fixture
def seen():
    records = {("S1", event.n): signed(event) for event in EVENTS}
    told = {"T1": "the word 1"}
    counted = HostDayUse(sessions=2, usd_micros=30)
    return Seen({"T1": DONE}, {"T1": [DAY]}, records, {"T1": 20}, DAY, counted, told)


@pytest.fixture
def noted():
    """What one host was acknowledged, and the driver."""
    made = Noted(replies={"T1": "the word 1"}, done={"T1": DONE}, records={("S1", 3): signed(EVENTS[2])})
    made.added["k"].add("T1")
    made.claims["T1", 2].add("jada-1")
    return made


def called(host, begins, ends, port=1):
    return Called(f"10.99.1.{host}", port, begins, ends, "/v4/spreadsheets/s:batchUpdate")


def found(noted, seen, calls=()):
    return untrue(noted, seen, caps=HostDayUse(sessions=2, usd_micros=40), of_a_task=3, calls=calls)


def test_what_was_acknowledged_and_is_so_is_no_violation(noted, seen):
    apart = [called(1, 1, 2), called(1, 5, 6), called(2, 7, 8), called(1, 9, 10, port=2)]
    assert found(noted, seen, apart) == []


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda noted, seen: noted.added["k2"].add("T2"), "task T2 is lost"),
        (lambda noted, seen: noted.added["k"].add("T2"), "under one key, k, are the tasks T1, T2"),
        (lambda noted, seen: noted.claims["T1", 2].add("jada-2"), "claimed by jada-1 and jada-2 under fence 2"),
        (lambda noted, seen: noted.acknowledged(("S1", 4), "message x"), "record 4 of session S1 is lost"),
        (lambda noted, seen: noted.acknowledged(("S1", 3), "settle x"), "record 3 of session S1 was taken from two"),
        (lambda noted, seen: seen.records.update({("S1", 3): "settle x"}), "record 3 of session S1 is lost"),
        (lambda noted, seen: seen.words.clear(), "the reply to task T1 is lost"),
        (lambda noted, seen: seen.tasks.update(T1=replace(DONE, version=6)), "result of task T1 was overwritten"),
        (lambda noted, seen: seen.tasks.update(T1=None), "result of task T1 was overwritten"),
        (lambda noted, seen: seen.sessions.update(T1=["a", "b", "c", "d"]), "task T1 had 4 sessions"),
        (lambda noted, seen: seen.sessions.update(T2=["2026-05-13"] * 2), "3 sessions began on 2026-05-13"),
        (lambda noted, seen: seen.spent.update(T2=21), "41 micro-dollars were spent, of at most 40"),
        (lambda noted, seen: seen.spent.update(T2=11), "31 micro-dollars were spent on 2026-05-13, and 30 counted"),
        (lambda noted, seen: seen.sessions.update(T2=[DAY] * 2), "3 sessions began on 2026-05-13, and 2 were counted"),
        (lambda noted, seen: seen.odd.append("session S1 has a gap"), "session S1 has a gap"),
    ],
)
def test_each_kind_of_untruth_is_seen(noted, seen, spoil, why):
    spoil(noted, seen)
    assert [each for each in found(noted, seen) if why in each]


@pytest.mark.parametrize(
    "calls",
    [
        [called(1, 1, 3), called(2, 2, 4)],
        # Between two calls on one connection of one host, another one calls.
        [called(1, 1, 2), called(2, 3, 4), called(1, 5, 6)],
    ],
)
def test_two_syncs_at_once_are_seen_by_their_connections(noted, seen, calls):
    assert [each for each in found(noted, seen, calls) if "at the sheet at once" in each]


def test_what_a_host_was_acknowledged_is_read_from_the_files_that_its_worker_writes(tmp_path):
    for name, upto in (("S1", 2), ("S2.lost-4", 3)):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "progress.json").write_bytes(dump(Progress(task=f"T of {name}", fence=4, acknowledged=upto)))
        (folder / "journal.jsonl").write_bytes(b"".join(dump(event) + b"\n" for event in EVENTS))
    (tmp_path / "S3").mkdir()
    noted, known = Noted(), {}
    look("jada-1", tmp_path, noted, known)
    assert noted.claims == {("T of S1", 4): {"jada-1"}, ("T of S2.lost-4", 4): {"jada-1"}}
    assert sorted(noted.records) == [("S1", 1), ("S1", 2), ("S2", 1), ("S2", 2), ("S2", 3)]
    # The queue has the stream without its text, and all else word for word.
    assert noted.records["S1", 2] == sign({"kind": "stream", "data": {}})
    assert noted.records["S2", 3] == sign({"kind": "settle", "data": {"usd_micros": 3}})
    (tmp_path / "S1" / "progress.json").write_bytes(dump(Progress(task="T of S1", fence=4, acknowledged=3)))
    look("jada-1", tmp_path, noted, known)
    assert ("S1", 3) in noted.records


def test_the_sweeps_settings_are_the_demos_with_short_leases_and_a_cap_for_all(tmp_path):
    text = environment.several((environment.ROOT / "jada.local.toml").read_text(), ("jada-1", "jada-2"))
    read = tomllib.loads(hosts.swept(text, HostDayUse(sessions=31, usd_micros=7_500_000)))
    dashboard, agent = dashboard_settings(read["dashboard"]), agent_settings(read["agent"])
    caps = dashboard.fleet
    assert (dashboard.lease_s, caps.sessions_per_day, caps.usd_per_day) == (hosts.LEASE_S, 31, 7.5)
    assert agent.turns == hosts.TURNS


def test_the_sweeps_script_is_one_that_claudes_double_plays_with_answers_to_spare(tmp_path):
    file = tmp_path / "script.json"
    file.write_text(hosts.played())
    played = load(file)
    assert {talk.match.partition(" ")[0] for talk in played.conversation} == {"left", "Ask", "Count"}
    assert all(len(talk.answer) > 4 for talk in played.conversation)
    assert all([talk for talk in played.conversation if talk.match in f"{title} 7"] for title in hosts.TITLES)
