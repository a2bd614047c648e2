"""At boot: from what was not proven to what was; systemd's own part is tried on a host."""

import pytest

from provision.onhost import recover
from provision.onhost.events import Events
from tests.unit.provision.onhost.releases import host

ORDERS = {"restart": [], "healthy": ["a.service", "newer.service"], "health": {"url": "u"}}


@pytest.fixture
def record(tmp_path):
    """A host on which r1 is proven, r2 was switched to, and then the power went."""
    record = host(tmp_path, "r1", "r2")
    record.begin("r2", "run", ORDERS)
    record.run("run").mkdir(parents=True)
    return record


@pytest.fixture
def recovered(record):
    """Run the program as at boot; `asked` is what systemd would have been."""
    asked = []

    def systemctl(words):
        asked.append(words)
        return len(asked) > 1  # the first time it fails, as it may early in a boot

    def run():
        assert recover.main(record, systemctl, sleep=lambda _seconds: None) == 0
        return Events(record.run("run") / "events").read(), asked

    return run


def test_the_host_goes_back_to_the_last_proven_release_and_says_so(record, recovered):
    events, asked = recovered()
    assert (record.current(), record.pending()) == ("r1", None)
    assert "went back to release r1" in events[-1]["failed"]
    started = [["start", "--no-block", "a.service"]]
    report = [["start", "--no-block", "jada-failed@jada-recover.service.service"]]
    assert asked == [["daemon-reload"], *started, ["daemon-reload"], *started, *report]


def test_what_was_called_deployed_is_said_to_be_reverted(record, recovered):
    Events(record.run("run") / "events").emit(deployed="r2")
    events, _ = recovered()
    assert "went back to release r1" in events[-1]["reverted"]


def test_a_damaged_release_is_not_gone_back_to(record, recovered):
    (record.home / "releases" / "r1" / "a").write_text("changed")
    events, asked = recovered()
    assert record.current() == "r2"
    assert record.pending()["release"] == "r2"
    assert "no proven release to go back to: it stays" in events[-1]["failed"]
    assert asked == []


def test_what_was_proven_in_the_last_moment_stays(record, recovered):
    record.prove("r2")
    events, asked = recovered()
    assert (record.current(), record.pending(), events, asked) == ("r2", None, [], [])


def test_without_anything_pending_nothing_happens(record, recovered):
    record.end()
    assert recovered() == ([], [])
