"""A backup made of one host's folders and laid out on another: what is in it, and what never leaves half of it."""

import io
import os
import sqlite3
import tarfile
from contextlib import closing
from pathlib import Path

import pyrage
import pytest

from backup import make, receive
from backup.look import look
from backup.make import BackupFailed, Origin
from backup.sources import Places, Skipped, walk
from tests.trees import nested
from wire.archive import FORMAT, About, Damaged, Reader, Writer

KEY = pyrage.x25519.Identity.generate()
PUBLIC = (str(KEY.to_public()),)
ORIGIN = Origin("ip-172-26-0-7", "abc123", "2026-05-13T04:00:00Z", paused=True, called="box", table="eu-west-1/queue")


@pytest.fixture
def places(tmp_path):
    """A host with something in each place; its sync's memory is open, and partly in its log."""
    places = Places(tmp_path / "host")
    agent, sync, *_ = (tree.folder for tree in places.trees)
    for folder in (agent / "sessions/S", sync, places.queue / "backups", places.secrets, places.own):
        folder.mkdir(parents=True)
    (agent / "sessions/S/journal.jsonl").write_text('{"n": 1}\n')
    (agent / "sessions/S/journal.jsonl").chmod(0o640)
    (agent / "big").write_bytes(b"0123456789" * 300_000)
    (agent / "out").symlink_to("/etc/passwd")
    (agent / "daemon.lock").touch()
    (agent / "caches/site").mkdir(parents=True)
    (agent / "caches/site/wheel").write_text("it can be fetched again")
    (sync / "lock").touch()
    (places.queue / "tokens.json").write_text("{}")
    (places.secrets / "port_sheet_token.json").write_text('{"refresh": "canary"}')
    (places.secrets / "anthropic_api_key").write_text("never in a backup")
    with closing(sqlite3.connect(places.queue / "backups/copy.db")) as queue:
        queue.executescript("CREATE TABLE tasks (id); INSERT INTO tasks VALUES ('one'); PRAGMA user_version = 7")
    with closing(sqlite3.connect(sync / "history.sqlite", isolation_level=None)) as memory:
        memory.executescript("PRAGMA journal_mode=WAL; CREATE TABLE base (id); INSERT INTO base VALUES ('b')")
        yield places


def made(places):
    out = io.BytesIO()
    left_out = make.make(places, ORIGIN, places.queue / "backups/copy.db", PUBLIC, out)
    return out.getvalue(), left_out


def opened(sealed):
    out = io.BytesIO()
    pyrage.decrypt_io(io.BytesIO(sealed), out, [KEY])
    return io.BytesIO(out.getvalue())


def test_all_that_a_host_holds_arrives_as_it_was(places, tmp_path):
    sealed, _ = made(places)
    about, counts = receive.receive(opened(sealed), folder := tmp_path / "new" / "one")
    assert (about.host, about.called, about.table) == ("ip-172-26-0-7", "box", "eu-west-1/queue")
    assert (about.schema, about.paused) == (7, True)
    assert counts == {"agent": 5, "sync": 1, "dashboard": 2, "secrets": 1}
    assert (folder / "agent/sessions/S/journal.jsonl").read_text() == '{"n": 1}\n'
    assert (folder / "agent/sessions/S/journal.jsonl").stat().st_mode & 0o777 == 0o640
    assert (folder / "agent/big").read_bytes() == b"0123456789" * 300_000
    assert (folder / "agent/out").readlink() == Path("/etc/passwd")
    assert (folder / "secrets/port_sheet_token.json").read_text() == '{"refresh": "canary"}'
    assert sqlite3.connect(folder / "dashboard/queue.db").execute("SELECT id FROM tasks").fetchall() == [("one",)]
    assert sqlite3.connect(folder / "sync/history.sqlite").execute("SELECT id FROM base").fetchall() == [("b",)]


def test_no_secret_is_readable_in_it_and_others_are_not_in_it_at_all(places):
    sealed, _ = made(places)
    assert b"canary" not in sealed
    names = [info.name for info, _ in Reader(opened(sealed)).entries()]
    assert "secrets/port_sheet_token.json" in names
    assert not [name for name in names if "anthropic" in name or "lock" in name or "wal" in name]


def test_another_key_does_not_open_it(places):
    with pytest.raises(pyrage.DecryptError):
        pyrage.decrypt_io(io.BytesIO(made(places)[0]), io.BytesIO(), [pyrage.x25519.Identity.generate()])


def test_caches_are_in_no_backup(places):
    names = [entry.name for entry, _ in walk(places.trees[0])]
    assert "agent/sessions/S/journal.jsonl" in names
    assert not [name for name in names if "caches" in name]


@pytest.mark.process
def test_folders_in_each_other_by_the_thousand_stop_no_backup(places):
    with nested(places.trees[0].folder / "deep", 1500):
        contents, left_out = made(places)
    assert left_out == ("agent/deep/" + "/".join(["a"] * 200),)
    assert "agent/sessions/S/journal.jsonl" in [info.name for info, _ in Reader(opened(contents)).entries()]


def test_what_only_its_process_can_read_is_left_out_and_said(places):
    os.mkfifo(places.trees[0].folder / "pipe")
    assert made(places)[1] == ("agent/pipe",)


def test_a_file_that_is_cut_while_it_is_read_spoils_no_other(places):
    (places.trees[0].folder / "a-late-one").write_bytes(b"x" * 2_000_000)
    entries = (entry for entry in walk(places.trees[0]) if not isinstance(entry, Skipped))
    for info, content in entries:
        if info.name == "agent/a-late-one":
            os.truncate(places.trees[0].folder / "a-late-one", 10)
            read = content.read()
            assert (len(read), read[:12]) == (2_000_000, b"x" * 10 + b"\0\0")
            return
    pytest.fail("it was not there")


def test_a_failure_in_the_middle_is_no_backup(places):
    for path in places.trees[1].folder.glob("history.sqlite*"):
        path.unlink()
    (places.trees[1].folder / "history.sqlite").write_bytes(b"no database")
    out = io.BytesIO()
    with pytest.raises(BackupFailed, match="could not be made whole"):
        make.make(places, ORIGIN, places.queue / "backups/copy.db", PUBLIC, out)
    with pytest.raises(Damaged):
        list(Reader(opened(out.getvalue())).entries())


def test_who_can_take_no_more_ends_it(places):
    class Full(io.BytesIO):
        def write(self, content):
            raise OSError(28, "No space left on device")

    with pytest.raises((OSError, pyrage.EncryptError)):
        make.make(places, ORIGIN, places.queue / "backups/copy.db", PUBLIC, Full())


def forged(*entries):
    out = io.BytesIO()
    about = About(format=FORMAT, made_at="2026-05-13T04:00:00Z", host="box", release="abc", schema=7)
    writer = Writer(out, about)
    for name, kind, target in entries:
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, target
        writer.add(info, io.BytesIO())
    writer.close()
    return io.BytesIO(out.getvalue())


@pytest.mark.parametrize("name", ["/etc/cron.d/x", "agent/../../x", "elsewhere/x", "../x"])
def test_a_name_that_leads_elsewhere_is_refused(tmp_path, name):
    with pytest.raises(Damaged, match="nothing that a backup holds"):
        receive.receive(forged((name, tarfile.REGTYPE, "")), tmp_path / "a")
    assert not (tmp_path / "a").exists()


def test_nothing_is_written_through_a_link_of_the_archive(tmp_path):
    (outside := tmp_path / "outside").mkdir()
    entries = (("agent/a", tarfile.SYMTYPE, str(outside)), ("agent/a/b", tarfile.REGTYPE, ""))
    receive.receive(forged(*entries), tmp_path / "x")
    assert list(outside.iterdir()) == []


def test_a_link_below_a_link_of_the_archive_is_made_inside_of_it(tmp_path):
    (outside := tmp_path / "outside").mkdir()
    links = [("agent/a", str(outside)), ("agent/a/evil", "/etc/shadow"), ("agent/a/b/evil", "/etc/shadow")]
    receive.receive(forged(*((name, tarfile.SYMTYPE, target) for name, target in links)), tmp_path / "x")
    assert list(outside.iterdir()) == []
    assert (tmp_path / "x/agent/a/evil").is_symlink()
    assert not (tmp_path / "x/agent/a").is_symlink()


@pytest.mark.parametrize("name", ["dashboard/tokens.json", "dashboard/queue.db", "secrets/x", "agent", "sync"])
def test_a_link_where_no_program_leaves_one_is_refused(tmp_path, name):
    with pytest.raises(Damaged, match=f"{name} is a link"):
        receive.receive(forged((name, tarfile.SYMTYPE, "/etc/shadow")), tmp_path / "x")
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.LNKTYPE])
def test_devices_pipes_and_hard_links_are_refused(tmp_path, kind):
    with pytest.raises(Damaged, match="neither a file"):
        receive.receive(forged(("agent/a", kind, "/etc/shadow")), tmp_path / "x")


def test_what_was_cut_off_has_no_name_and_goes_with_the_next(places, tmp_path):
    whole = opened(made(places)[0]).getvalue()
    with pytest.raises(Damaged):
        receive.receive(io.BytesIO(whole[:-2000]), tmp_path / "r/one")
    assert [path.name for path in (tmp_path / "r").iterdir()] == ["one.half"]
    receive.receive(io.BytesIO(whole), tmp_path / "r/two")
    assert [path.name for path in (tmp_path / "r").iterdir()] == ["two"]


def test_a_look_says_what_a_host_holds(places, tmp_path):
    app = tmp_path / "releases/abc/app"
    (app.parent / "venv/bin").mkdir(parents=True)
    app.mkdir()
    assert look(places, app, lambda _command: "9\n") == {
        "release": "abc",
        "schema": 9,
        "parts": {
            "agent": {"entries": 5, "bytes": 3_000_009},
            "sync": {"entries": 0, "bytes": 0},
            "dashboard": {"entries": 0, "bytes": 0},
        },
        "table": "",
        "unfinished": False,
    }
