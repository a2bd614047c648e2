"""Putting a laid-out backup in place: what was there is kept, and what was cut off says so until it is done again."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from backup.place import UNFINISHED, ProgramFailed, place
from backup.sources import Places
from wire.archive import FORMAT, About
from wire.values import dump

NOW = datetime(2026, 5, 13, 12, 0, tzinfo=UTC)
APP = Path("/opt/jada-agent/current/app")


@pytest.fixture
def host(tmp_path):
    """A host with something of its own everywhere, and a backup beside it."""
    places = Places(tmp_path)
    for tree in places.trees:
        tree.folder.mkdir(parents=True)
        (tree.folder / "own").write_text("before")
    for folder in (places.queue / "backups", places.secrets, staged := places.restores / "one"):
        folder.mkdir(parents=True)
    (places.secrets / "port_sheet_token.json").write_text("before")
    for name, text in {
        "about.json": dump(
            About(format=FORMAT, made_at="2026-05-12T04:00:00Z", host="b", release="r", schema=1)
        ).decode(),
        "agent/state.json": "after",
        "sync/history.sqlite": "after",
        "dashboard/queue.db": "after",
        "dashboard/tokens.json": "after",
        "secrets/port_sheet_token.json": "after",
    }.items():
        (staged / name).parent.mkdir(exist_ok=True)
        (staged / name).write_text(text)
    return places


class Programs:
    """Notes what is run, and fails where it is told to; the queue's own program does its work."""

    def __init__(self, fails=""):
        self.fails, self.run = fails, []

    def __call__(self, command):
        words = " ".join(command)
        self.run.append(words)
        if self.fails and self.fails in words:
            raise ProgramFailed(f"{self.fails} failed")


def test_everything_takes_its_place_and_what_was_there_is_kept(host):
    kept = place(host, host.restores / "one", APP, NOW, programs := Programs())
    agent, sync = host.trees
    assert ((agent.folder / "state.json").read_text(), (sync.folder / "history.sqlite").read_text()) == (
        "after",
        "after",
    )
    assert not (agent.folder / "own").exists()
    assert [(kept / part / "own").read_text() for part in ("agent", "sync")] == ["before", "before"]
    assert (host.secrets / "port_sheet_token.json").read_text() == "after"
    assert (kept / "port_sheet_token.json").read_text() == "before"
    assert (host.queue / "backups/20260512T040000Z.db").read_text() == "after"
    assert (host.queue / "tokens.json").read_text() == "after"
    assert programs.run[0].startswith("chown --recursive --no-dereference jada:jada ")
    assert all("--no-dereference" in words for words in programs.run if words.startswith("chown"))
    (restored,) = [words for words in programs.run if "dashboard.restore" in words]
    assert restored.startswith("runuser --user jada-dashboard -- ")
    assert restored.endswith("--backup 20260512T040000Z.db")
    assert [path.name for path in host.restores.iterdir()] == [kept.name]


@pytest.mark.parametrize("fails", ["chown --recursive --no-dereference jada-sync", "dashboard.restore"])
def test_one_that_was_cut_off_says_so_and_loses_nothing(host, fails):
    with pytest.raises(ProgramFailed):
        place(host, host.restores / "one", APP, NOW, Programs(fails))
    assert (host.restores / UNFINISHED).read_text() == "one\n"
    everywhere = [path.read_text() for path in host.root.rglob("own")]
    assert everywhere == ["before", "before"]


def test_a_part_that_the_backup_does_not_have_is_set_aside_all_the_same(host):
    (host.restores / "one/sync/history.sqlite").unlink()
    (host.restores / "one/sync").rmdir()
    kept = place(host, host.restores / "one", APP, NOW, Programs())
    assert list(host.trees[1].folder.iterdir()) == []
    assert (kept / "sync/own").read_text() == "before"


def test_the_tokens_mode_is_roots_only(host):
    (host.restores / "one/secrets/port_sheet_token.json").chmod(0o644)
    place(host, host.restores / "one", APP, NOW, Programs())
    assert (host.secrets / "port_sheet_token.json").stat().st_mode & 0o777 == 0o600
