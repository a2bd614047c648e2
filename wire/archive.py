"""A backup's archive, as it is written on one host and read on another: a stream, so that no size needs memory.

First comes what it is (`about.json`), then files, folders and links below named parts, and at last how much there was
(`end.json`): without that it is not whole, however well its beginning reads. It is encrypted outside of here.
"""

import gzip
import io
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from typing import IO, Any, NoReturn

from wire.values import Invalid, Written, dump, read

FORMAT = 1
"""Of the archive itself; a reader refuses a higher one."""
_ABOUT, _END = "about.json", "end.json"
_MOST = 1 << 20
"""More than what we write about an archive: a forged one must not fill memory."""


class About(Written, frozen=True, kw_only=True):
    """What a backup is: of which host, when, by which release, with how many steps of the queue's `schema`; `paused`
    says that nothing worked on the host any more. `called` is how operators call the host, and `table` where its queue
    was, each empty where it had none or an earlier release made the backup.
    """

    format: int
    made_at: str
    host: str
    release: str
    schema: int
    paused: bool = False
    called: str = ""
    table: str = ""


class _End(Written, frozen=True, kw_only=True):
    """How many entries there were, and bytes in them."""

    entries: int
    bytes: int


UNREADABLE = (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile)
"""What reading raises where bytes are missing, or others."""


class Damaged(Exception):
    """An archive that is not whole, or is none."""


class TooNew(Exception):
    """An archive of a format that only a later release can read."""


class Writer:
    """Writes an archive to a stream that can't seek; `close` says that it is whole."""

    def __init__(self, out: IO[bytes], about: About) -> None:
        # A low level: a small plan has a tenth of a CPU.
        self._packed = gzip.GzipFile(fileobj=out, mode="wb", compresslevel=3, mtime=0)
        self._tar = tarfile.open(fileobj=self._packed, mode="w", format=tarfile.PAX_FORMAT)  # noqa: SIM115 - by close
        self._entries = self._bytes = 0
        self._put(_ABOUT, dump(about))

    def add(self, info: tarfile.TarInfo, content: Any = None) -> None:
        """Add an entry; a file with its content, of exactly `info.size` bytes."""
        self._tar.addfile(info, content)
        self._tar.members.clear()  # type: ignore[attr-defined] # else it remembers every entry
        self._entries += 1
        self._bytes += info.size

    def close(self) -> None:
        """Write the end."""
        self._put(_END, dump(_End(entries=self._entries, bytes=self._bytes)))
        self._tar.close()
        self._packed.close()

    def _put(self, name: str, content: bytes) -> None:
        info = tarfile.TarInfo(name)
        info.size = len(content)
        self._tar.addfile(info, io.BytesIO(content))


class Reader:
    """Reads an archive from a stream: `about` at once, then `entries` once, which raises `Damaged` unless it is
    whole.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        try:
            self._tar = tarfile.open(fileobj=stream, mode="r|gz")  # noqa: SIM115 - the caller owns the stream
            first = self._tar.next()
            if first is None or first.name != _ABOUT:
                _damaged("it does not begin as a backup does")
            text = self._content(first)
        except UNREADABLE as error:
            raise Damaged(f"it is no backup, or a damaged one: {error}") from error
        self.about = _read_about(text)

    def entries(self) -> Iterator[tuple[tarfile.TarInfo, "_Content | None"]]:
        """Yield each entry, a file with its content, which is to be read before the next one."""
        seen = size = 0
        try:
            while (info := self._tar.next()) is not None:
                self._tar.members.clear()  # type: ignore[attr-defined] # else it remembers every entry
                if info.name == _END:
                    self._require_end(self._content(info), seen, size)
                    return
                seen, size = seen + 1, size + info.size
                content = self._tar.extractfile(info) if info.isfile() else None
                yield info, _Content(content) if content is not None else None
        except UNREADABLE as error:
            raise Damaged(f"it is damaged: {error}") from error
        _damaged("it was cut off: its end is missing")

    def _require_end(self, text: bytes, entries: int, size: int) -> None:
        try:
            said = read(_End, text)
        except Invalid as error:
            raise Damaged(f"its end can't be read: {error}") from error
        if (said.entries, said.bytes) != (entries, size):
            _damaged(f"it holds {entries} entries of {size} bytes, and its end says {said.entries} of {said.bytes}")
        # To the stream's own end: what encrypted it says only there that nothing is missing.
        while self._stream.read(1 << 16):
            pass

    def _content(self, info: tarfile.TarInfo) -> bytes:
        if info.size > _MOST or (content := self._tar.extractfile(info)) is None:
            _damaged(f"{info.name} is not what we write")
        return content.read()


class _Content:
    """A file's content in an archive."""

    def __init__(self, content: IO[bytes]) -> None:
        self._content = content

    def read(self, size: int = -1) -> bytes:
        """Read up to so many bytes; raises `Damaged`."""
        try:
            return self._content.read(size)
        except UNREADABLE as error:
            raise Damaged(f"it is damaged: {error}") from error


def part(name: str) -> str:
    """Return the part that an entry belongs to."""
    return name.partition("/")[0]


def _read_about(text: bytes) -> About:
    try:
        about = read(About, text)
    except Invalid as error:
        # A later format may lack what we ask for.
        with suppress(Invalid):
            _require_known(read(_Numbered, text).format)
        raise Damaged(f"what it is can't be read: {error}") from error
    _require_known(about.format)
    return about


class _Numbered(Written, frozen=True, kw_only=True):
    format: int


def _require_known(number: int) -> None:
    if number > FORMAT:
        raise TooNew(f"it has format {number}, and this release reads up to {FORMAT}")


def _damaged(why: str) -> NoReturn:
    raise Damaged(why)
