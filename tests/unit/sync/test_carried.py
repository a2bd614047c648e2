"""The memory as values: what another host has of it is all that was in it."""

import sqlite3
from datetime import UTC, datetime

import msgspec
import pytest

from sync import carried
from sync.batch import Batch
from sync.history import opened
from sync.judge import Finding, Verdict

NOW = datetime(2026, 5, 13, 3, 0, tzinfo=UTC)
COLUMNS = ("id", "rate", "sync_state")
BASE = {f"B{n}": (f"B{n}", n / 2, "live") for n in range(200)}
BATCH = Batch(copy=7, tab=1, places=(0, 1), columns=COLUMNS)
TOLD = Finding(why="overwritten", booking="B1", column="rate", was="p", ours=1)


@pytest.fixture
def hosts(tmp_path):
    """Memories of three hosts."""
    for name in "abc":
        (tmp_path / name).mkdir()
    with (
        opened(tmp_path / "a", COLUMNS) as a,
        opened(tmp_path / "b", COLUMNS) as b,
        opened(tmp_path / "c", COLUMNS) as c,
    ):
        for each in (a, b, c):
            each.follow()
        yield a, b, c


def everything(history):
    return (
        dict(history.base()),
        history.last_success(),
        history.batches(),
        history.strays(),
        history.findings(),
        history.settled_changes(),
        history.tab("x", "Bookings"),
        history.is_under_way,
    )


def imaged(history, version=1):
    kept, data = history.image()
    history.note_kept(version, kept, is_image=True)
    return kept, data


def read(kept):
    return carried.decode(carried.encode(kept))


def worked(history):
    """A memory with something in each table."""
    history.settle(BASE, NOW)
    history.forget_changes()
    history.keep_tab("x", "Bookings", 4)
    history.begin(BATCH, NOW)
    history.judged(1, Verdict(findings=[TOLD]), {"B1": ("B1", 9, "live")}, NOW)
    history.begin(BATCH, NOW)
    return history


def test_an_image_holds_all(hosts):
    a, b, _ = hosts
    kept, data = imaged(worked(a))
    b.restore(1, kept, data)
    assert everything(b) == everything(a)


def test_rows_since_the_beginning_hold_all(hosts):
    a, b, _ = hosts
    b.begin(BATCH, NOW)
    b.restore(1, read(worked(a).touched()), None)
    assert everything(b) == everything(a)


def test_rows_since_an_image_go_from_host_to_host(hosts):
    """What the second host did not touch itself differs from the image all the same."""
    a, b, c = hosts
    worked(a)
    _, data = imaged(a)
    a.forget(1)
    a.settle({**BASE, "B3": ("B3", 77, "live")} | {"new": ("new", 1, "live")}, NOW)
    b.restore(2, read(a.touched()), data)
    b.settle({key: cells for key, cells in b.base().items() if key != "B5"}, NOW)
    c.restore(3, read(b.touched()), data)
    assert everything(c) == everything(b)
    assert (c.base()["B3"][1], "B5" in c.base(), "new" in c.base()) == (77, False, True)


def test_the_number_of_a_batch_that_is_over_is_not_given_again(hosts):
    a, b, _ = hosts
    worked(a)
    _, data = imaged(a)
    a.forget(a.begin(BATCH, NOW))
    b.restore(2, read(a.touched()), data)
    assert b.begin(BATCH, NOW) == 4


def test_rows_that_are_put_back_are_no_changes_of_a_booking(hosts):
    a, b, _ = hosts
    a.settle(BASE, NOW)
    a.forget_changes()
    b.restore(1, read(a.touched()), None)
    assert b.settled_changes() == []
    b.settle({"B1": ("B1", 5, "live")}, NOW)
    assert len(b.settled_changes()) == len(BASE)


def test_a_few_changes_are_few_bytes(hosts):
    a, _, _ = hosts
    worked(a)
    kept, data = imaged(a)
    a.settle({**BASE, "B3": ("B3", 77, "live")}, NOW)
    a.forget_changes()
    rows = carried.encode(a.touched())
    assert len(rows) < 600 < len(data)
    assert not carried.wants_image(kept, len(rows))
    assert carried.wants_image(kept, 30_000)


def test_what_a_newer_release_keeps_is_passed_over(hosts):
    a, b, _ = hosts
    kept = worked(a).touched()
    base = kept.tables["base"]
    wider = carried.Rows((*base.columns, "colour"), tuple((*row, "mauve") for row in base.rows))
    tables = {**kept.tables, "base": wider, "tomorrow": carried.Rows(("x",), ((1,),))}
    data = msgspec.msgpack.encode(
        msgspec.to_builtins(msgspec.structs.replace(kept, tables=tables), builtin_types=(bytes,)) | {"later": 1}
    )
    b.restore(1, msgspec.msgpack.decode(data, type=carried.Kept), None)
    assert everything(b) == everything(a)


@pytest.mark.parametrize("data", [None, b"another"])
def test_an_image_that_is_not_the_one_replaces_nothing(hosts, data):
    a, b, _ = hosts
    kept, _ = imaged(worked(a))
    b.settle({"mine": ("mine", 1, "live")}, NOW)
    with pytest.raises(carried.Unfit, match="memory-a"):
        b.restore(1, kept, data)
    assert list(b.base()) == ["mine"]


@pytest.mark.parametrize("data", [b"", b"not zlib", carried.encode(carried.Kept())[:-5]])
def test_what_cannot_be_read_is_named(data):
    with pytest.raises(carried.Unfit, match="can't be read"):
        carried.decode(data)


def test_a_memory_of_one_host_notes_nothing_of_this(tmp_path):
    """A queue in a file shares nothing, and pays for nothing."""
    with opened(tmp_path, COLUMNS) as history:
        worked(history)
    with sqlite3.connect(tmp_path / "history.sqlite") as file:
        names = {name for (name,) in file.execute("SELECT name FROM sqlite_master")}
    assert not names & {"touched", "kept"}
