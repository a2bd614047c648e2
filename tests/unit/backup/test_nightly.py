"""The night's backup: when it is due, what is sent, and that nothing counts as sent which the target does not list."""

import contextlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from backup import nightly, sftp
from backup.make import BackupFailed
from backup.settings import Settings, Target
from wire.types import NightlyBackup

NOW = datetime(2026, 5, 13, 12, 0, tzinfo=UTC)
TARGET = Target("jada", "nas.example", 22, "backups")
SETTINGS = Settings(target="sftp://jada@nas.example/backups", host_key="ssh-ed25519 AAAA", keep=2)
NAME = "jada-box-20260513T120000Z.age"


class Server:
    """A target by what its sftp prints: `lists` replaces the size it says, `fails` refuses the first batch."""

    def __init__(self, lists=None, fails=False, held=()):
        self.lists, self.fails, self.held, self.batches, self.known = lists, fails, [*held], [], ""

    def __call__(self, command, batch):
        self.batches.append(batch)
        known = next(word for word in command if word.startswith("UserKnownHostsFile="))
        self.known = Path(known.partition("=")[2]).read_text()
        if self.fails:
            raise BackupFailed("the target did not take it: Permission denied")
        if batch.startswith("-mkdir"):
            local = batch.splitlines()[1].split()[1]
            size = Path(local).stat().st_size if self.lists is None else self.lists
            self.held.append(NAME)
            return f"sftp> ls\n-rw-------    1 1000     1000     {size} May 13 12:00 backups/{NAME}\n"
        return "".join(f"backups/{name}\n" for name in self.held)


@pytest.fixture
def send(tmp_path):
    (tmp_path / "key").write_text("-----BEGIN\n")

    def do(server, write=lambda out: out.write(b"sealed"), size=6, settings=SETTINGS):
        @contextlib.contextmanager
        def prepare():
            yield nightly.Night(NAME, size, write)

        return nightly.send(settings, tmp_path, tmp_path / "key", prepare(), lambda: NOW, server)

    do.folder = tmp_path
    return do


@pytest.mark.parametrize(
    ("sent", "due"),
    [
        (None, True),
        (NOW - timedelta(hours=7), False),
        (NOW - timedelta(hours=8, minutes=1), True),
        (NOW - timedelta(days=2), True),
    ],
)
def test_it_is_due_once_after_its_hour(sent, due):
    last = NightlyBackup(tried_at="x", sent_at=sent and sent.isoformat())
    assert nightly.is_due(last, 4, NOW) is due
    assert nightly.is_due(None, 4, NOW)


def test_one_that_arrived_whole_is_kept_as_sent(send):
    word = send(server := Server())
    assert (word.sent_at, word.name, word.size, word.failed) == ("2026-05-13T12:00:00Z", NAME, 6, "")
    assert nightly.status(send.folder) == word
    assert server.known == "nas.example ssh-ed25519 AAAA\n"
    assert sorted(path.name for path in send.folder.iterdir()) == ["key", "nightly.json"]


@pytest.mark.parametrize("server", [Server(lists=5), Server(fails=True)], ids=["half of it", "refused"])
def test_what_the_target_does_not_list_whole_was_not_sent_and_the_last_good_one_stays(send, server):
    before = send(Server())
    with pytest.raises(BackupFailed):
        send(server)
    word = nightly.status(send.folder)
    assert (word.sent_at, word.name) == (before.sent_at, before.name)
    assert word.failed
    assert not [batch for batch in server.batches if "rm" in batch.split()]


def test_without_room_nothing_is_made(send):
    with pytest.raises(BackupFailed, match="no room to make it"):
        send(server := Server(), size=10**15)
    assert server.batches == []


def test_without_a_key_it_says_so(send):
    (send.folder / "key").write_text("\n")
    with pytest.raises(BackupFailed, match="fab secrets"):
        send(Server())


def test_the_oldest_of_ours_go_and_nothing_else(send):
    held = ["jada-a-20260101T040000Z.age", "jada-z-20250101T040000Z.age", "taxes.pdf", ".jada-x.half"]
    send(server := Server(held=held))
    assert server.batches[-1] == "-rm backups/jada-z-20250101T040000Z.age\n"
    send(server := Server(held=held), settings=Settings(**{**_fields(SETTINGS), "keep": 0}))
    assert len(server.batches) == 2


def _fields(settings):
    return {name: getattr(settings, name) for name in settings.__struct_fields__}


def test_what_a_killed_run_left_is_removed(send):
    (send.folder / "sending-old").mkdir()
    (send.folder / "sending-old" / "half.age").write_bytes(b"x")
    send(Server())
    assert not (send.folder / "sending-old").exists()


def test_no_secret_is_in_a_command_and_the_targets_key_is_pinned(tmp_path):
    command = sftp.Sftp(TARGET, tmp_path / "key", tmp_path / "known").command()
    assert command[0] == "sftp"
    assert "StrictHostKeyChecking=yes" in command
    assert f"IdentityFile={tmp_path / 'key'}" in command
    assert command[-1] == "jada@nas.example"


@pytest.mark.parametrize("listing", ["", "total 0\n", "-rw 1 1 1 x May 13 12:00 backups/other.age\n"])
def test_what_is_not_listed_has_no_size(listing):
    assert sftp.size_of(listing, NAME) is None
