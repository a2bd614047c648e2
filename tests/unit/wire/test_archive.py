"""A backup's archive: what is whole is read back, and what is not is never taken for whole."""

import gzip
import io
import tarfile

import pytest

from wire.archive import FORMAT, About, Damaged, Reader, TooNew, Writer, part
from wire.values import dump

ABOUT = About(format=FORMAT, made_at="2026-05-13T04:00:00Z", host="box", release="abc", schema=7)


def entry(name, content):
    info = tarfile.TarInfo(name)
    info.size = len(content)
    return info, io.BytesIO(content)


def archive(*entries, about=ABOUT, closed=True):
    out = io.BytesIO()
    writer = Writer(out, about)
    for each in entries:
        writer.add(*each)
    if closed:
        writer.close()
    else:
        writer._tar.close()
        writer._packed.close()
    return out.getvalue()


def contents(data):
    return {info.name: content.read() for info, content in Reader(io.BytesIO(data)).entries()}


def test_what_was_written_is_read_back():
    data = archive(entry("agent/a", b"one"), entry("sync/b", b"x" * 3_000_000))
    assert contents(data) == {"agent/a": b"one", "sync/b": b"x" * 3_000_000}
    assert Reader(io.BytesIO(data)).about == ABOUT


def test_one_without_its_end_is_not_whole():
    with pytest.raises(Damaged, match="cut off"):
        contents(archive(entry("agent/a", b"one"), closed=False))


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9, 0.99])
def test_one_that_is_cut_is_not_whole(share):
    data = archive(*(entry(f"agent/{n}", bytes([n]) * 5000) for n in range(200)))
    with pytest.raises(Damaged):
        contents(data[: int(len(data) * share)])


def test_an_entry_that_is_missing_is_noticed():
    raw = gzip.decompress(archive(entry("agent/a", b"one"), entry("agent/b", b"two")))
    header = raw.index(b"agent/a\0")
    with pytest.raises(Damaged, match="1 entries of 3 bytes, and its end says 2 of 6"):
        contents(gzip.compress(raw[:header] + raw[header + 1024 :]))


@pytest.mark.parametrize("data", [b"", b"no archive", gzip.compress(b"no tar", mtime=0)])
def test_what_is_no_archive_is_said_to_be_none(data):
    with pytest.raises(Damaged):
        Reader(io.BytesIO(data))


def test_a_tar_of_somebodys_is_no_backup():
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        tar.addfile(*entry("about.txt", b"hello"))
    with pytest.raises(Damaged, match="does not begin as a backup does"):
        Reader(io.BytesIO(out.getvalue()))


def test_a_later_format_is_refused_even_where_it_lacks_what_we_know():
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        tar.addfile(*entry("about.json", b'{"format": 2, "of": "tomorrow"}'))
    with pytest.raises(TooNew, match="format 2"):
        Reader(io.BytesIO(out.getvalue()))


def test_what_a_later_release_adds_is_carried():
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        tar.addfile(*entry("about.json", dump(ABOUT).replace(b"{", b'{"colour": "red", ', 1)))
    assert Reader(io.BytesIO(out.getvalue())).about.unknown == {"colour": "red"}


def test_an_entry_belongs_to_its_first_name():
    assert part("agent/sessions/1") == "agent"
