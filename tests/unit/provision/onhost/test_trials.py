"""A trial's unit is the release's own, but for what would touch the one that runs."""

from pathlib import Path

import pytest

from provision.onhost import trials
from provision.onhost.errors import DeployRefused
from provision.onhost.runs import Record
from provision.release.bundle import FILES

HOME = Path("/opt/jada-agent")


def _unit(name, **how):
    text = (FILES / "units" / name).read_text()
    return trials.trial_unit(text, HOME, "r1", "/var/lib/state", Path("/copy"), **how).splitlines()


@pytest.fixture
def sync():
    return _unit(trials.SYNC, serves=False)


@pytest.fixture
def queue():
    return _unit(trials.QUEUE, serves=True)


@pytest.mark.parametrize("name", [trials.SYNC, trials.QUEUE])
def test_it_runs_from_its_release_whatever_current_is(name):
    lines = _unit(name, serves=False)
    assert not [line for line in lines if "/current/" in line and not line.startswith("#")]
    assert "WorkingDirectory=/opt/jada-agent/releases/r1/app" in lines
    assert any("/opt/jada-agent/releases/r1/etc/jada.toml" in line for line in lines if line.startswith("ExecStart="))


def test_the_sync_writes_nothing(sync):
    (started,) = [line for line in sync if line.startswith("ExecStart=")]
    assert started.endswith(" --dry-run")


def test_the_copy_lies_in_the_states_place(sync, queue):
    assert "BindPaths=/copy:/var/lib/state" in sync
    assert "BindPaths=/copy:/var/lib/state" in queue


def test_a_queue_on_trial_has_a_network_and_a_socket_of_its_own(queue):
    assert "PrivateNetwork=yes" in queue
    assert "BindPaths=/run/jada-trial:/run/jada-dashboard" in queue
    assert [line for line in queue if line.startswith("RuntimeDirectory")] == ["RuntimeDirectory=jada-trial"]


def test_a_trial_that_fails_is_no_users_alarm_and_is_not_started_again(sync, queue):
    for lines in (sync, queue):
        assert not [line for line in lines if line.startswith(("OnFailure", "Restart"))]


def test_the_walls_stay(queue):
    text = (FILES / "units" / trials.QUEUE).read_text().splitlines()
    walls = {line for line in text if line.startswith(("User=", "Protect", "Private", "System", "Memory", "LoadC"))}
    assert walls <= set(queue)


def test_a_file_of_the_queue_that_its_dashboard_takes_away_meanwhile_has_no_size(tmp_path):
    (tmp_path / "queue.db").write_bytes(b"12345")
    (tmp_path / "queue.db-wal").symlink_to("gone")  # listed, and not there to be looked at
    assert trials.size_of(tmp_path / "queue.db") == 5


@pytest.mark.process
def test_a_memory_of_the_sync_that_can_not_be_copied_says_nothing_of_a_release(tmp_path):
    """This machine has none; on a host, a run of the sync may begin while it is copied."""
    said = trials._compare_syncs(Record(tmp_path), "r2", "r1")
    assert "the sync was not tried: its memory can't be copied now: cp: " in said


def _compared(said, *runs):
    """What two dry runs come to, of which the later one's release is to be deployed, beside the sync's own runs."""
    seen = iter(runs)
    return trials.compared("new", "old", said.get, lambda: next(seen))


def test_a_sync_that_fails_only_with_the_new_release_is_refused():
    with pytest.raises(DeployRefused, match="passes with release old and fails with new; its journal ends:\nno such"):
        _compared({"new": "no such column"}, "run 1", "run 1")


def test_a_dry_run_beside_which_a_run_of_the_sync_began_refuses_nothing():
    assert "began beside its dry run" in _compared({"new": "database disk image is malformed"}, "run 1", "run 2")


def test_a_sync_that_fails_with_both_says_nothing_of_the_new_release():
    assert "fails with release old as well" in _compared({"old": "no token", "new": "no token"}, "run 1")
