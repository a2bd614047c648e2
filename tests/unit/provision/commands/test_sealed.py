"""Backup files on the operator's machine: keys, and every way in which one is not to be
believed.
"""

import io
import stat
import tarfile

import pyrage
import pytest

from provision.commands import sealed
from provision.errors import CommandError
from wire.archive import FORMAT, About, Writer


@pytest.fixture
def key(tmp_path):
    sealed.write_key(tmp_path / "key", "")
    return sealed.read_key(tmp_path / "key")


def archive(about_format=FORMAT, closed=True):
    out = io.BytesIO()
    about = About(format=about_format, made_at="2026-05-13T04:00:00Z", host="box", release="abc", schema=7)
    writer = Writer(out, about)
    for number in range(50):
        info = tarfile.TarInfo(f"agent/{number}")
        info.size = 5000
        writer.add(info, io.BytesIO(bytes(pyrage.encrypt(b"", [pyrage.x25519.Identity.generate().to_public()])) * 50))
    if closed:
        writer.close()
    else:
        writer._tar.close()
        writer._packed.close()
    return out.getvalue()


@pytest.fixture
def file(tmp_path, key):
    def make(content, name="a.age"):
        (tmp_path / name).write_bytes(pyrage.encrypt(content, [key.to_public()]))
        return tmp_path / name

    return make


def verify(path, key):
    return sealed.verify(path, key, lambda _size: None)


def test_a_key_is_written_once_for_its_user_only_and_never_over_another(tmp_path):
    public = sealed.write_key(tmp_path / "key", "")
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    assert str(sealed.read_key(tmp_path / "key").to_public()) == public
    with pytest.raises(CommandError, match="never written over"):
        sealed.write_key(tmp_path / "key", "")


@pytest.mark.process  # a passphrase takes seconds, by design
def test_a_key_with_a_passphrase_is_opened_by_it_only(tmp_path):
    public = sealed.write_key(tmp_path / "key", "a long one")
    assert b"AGE-SECRET-KEY" not in (tmp_path / "key").read_bytes()
    assert str(sealed.read_key(tmp_path / "key", lambda _asked: "a long one").to_public()) == public
    with pytest.raises(CommandError, match="not opened by this passphrase"):
        sealed.read_key(tmp_path / "key", lambda _asked: "another")


@pytest.mark.parametrize("content", [b"", b"AGE-SECRET-KEY-1NONE", b"\xff\xfe"])
def test_what_is_no_key_is_said_to_be_none(tmp_path, content):
    (tmp_path / "key").write_bytes(content)
    with pytest.raises(CommandError, match="holds no key"):
        sealed.read_key(tmp_path / "key")


def test_a_whole_file_says_what_it_holds(file, key):
    about, parts = verify(file(archive()), key)
    assert (about.host, parts) == ("box", {"agent": {"entries": 50, "bytes": 250_000}})


def test_another_key_is_told_from_damage(file):
    with pytest.raises(CommandError, match="encrypted to another key"):
        verify(file(archive()), pyrage.x25519.Identity.generate())


@pytest.mark.parametrize("left", [0, 10, 300, -30, -1])
def test_a_file_that_is_cut_is_damaged(file, key, left):
    path = file(archive())
    path.write_bytes(path.read_bytes()[:left])
    with pytest.raises(CommandError, match="damaged, cut off, or no backup"):
        verify(path, key)


@pytest.mark.parametrize("place", [-5, 0.5, 0.9])
def test_a_changed_byte_is_damage(file, key, place):
    path = file(archive())
    content = bytearray(path.read_bytes())
    content[place if place < 0 else int(len(content) * place)] ^= 1
    path.write_bytes(content)
    with pytest.raises(CommandError, match="damaged, cut off, or no backup"):
        verify(path, key)


def test_a_file_whose_maker_failed_is_not_whole_though_it_is_well_encrypted(file, key):
    with pytest.raises(CommandError, match="cut off: its end is missing"):
        verify(file(archive(closed=False)), key)


def test_one_of_a_newer_release_is_refused(file, key):
    with pytest.raises(CommandError, match=r"newer release: it has format 2"):
        verify(file(archive(about_format=2)), key)


def test_a_connection_that_breaks_while_it_is_sent_is_no_damage(file, key):
    class Gone:
        def write(self, content):
            raise ConnectionResetError(104, "gone")

        def flush(self):
            pass

    with pytest.raises(ConnectionResetError):
        sealed.decrypt(file(archive()), key, Gone(), lambda _size: None)
