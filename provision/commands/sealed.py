"""Backup files on the operator's machine: who can open them, and how one is opened.

Only here is the secret key; a host has the public one.
"""

import getpass
import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pyrage

from provision.errors import CommandError
from wire.archive import About, Damaged, Reader, TooNew, part
from wire.disk import sync_folder
from wire.piped import Piped, piped

ENCRYPTED = b"age-encryption.org/"
"""How a file begins that age encrypted."""
SECRET = "AGE-SECRET-KEY-"  # noqa: S105 - how one begins
Count = Callable[[int], None]


def write_key(path: Path, passphrase: str) -> str:
    """Make a pair of keys: write the secret one to a new file, encrypted where there is a passphrase; return the public
    one. Raises `CommandError` where the file is there.
    """
    identity = pyrage.x25519.Identity.generate()
    public = str(identity.to_public())
    content = f"# public key: {public}\n{identity}\n".encode()
    if passphrase:
        content = pyrage.passphrase.encrypt(content, passphrase)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}", "name a new file: a key is never written over") from error
    with os.fdopen(descriptor, "wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    sync_folder(path.absolute().parent)
    return public


def read_key(path: Path, ask: Callable[[str], str] = getpass.getpass) -> Any:
    """Read a secret key from its file, asking for the passphrase where it is encrypted. Raises `CommandError`."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}", "give the file that `fab backup-key` wrote") from error
    if content.startswith(ENCRYPTED):
        try:
            content = pyrage.passphrase.decrypt(content, ask(f"passphrase of {path}: "))
        except pyrage.DecryptError as error:
            # Not chained: its text may be anything.
            raise CommandError(f"{path} is not opened by this passphrase: {error}", "try again") from None
    lines = [line.strip() for line in content.decode(errors="replace").splitlines()]
    secret = next((line for line in lines if line.startswith(SECRET)), "")
    try:
        return pyrage.x25519.Identity.from_str(secret)
    except pyrage.IdentityError:
        raise CommandError(f"{path} holds no key", "give the file that `fab backup-key` wrote") from None


def decrypt(path: Path, key: Any, out: Any, count: Count) -> None:
    """Write what a backup file holds into a stream. Raises `CommandError` for a wrong key and for a damaged file."""
    with _opened(path) as file:
        ends = _Ends(file, out, count)
        try:
            pyrage.decrypt_io(ends, ends, [key])
        except (pyrage.DecryptError, OSError) as error:
            if ends.failure is not None:
                raise ends.failure from None
            if "matching keys" in str(error):
                raise CommandError(f"{path} is encrypted to another key", "give the key file it was made for") from None
            raise CommandError(f"{path} is damaged, cut off, or no backup: {error}", "take another backup") from None


def verify(path: Path, key: Any, count: Count) -> tuple[About, dict[str, dict[str, int]]]:
    """Read a backup file from its beginning to its end; return what it is, and entries and bytes of each part.

    Raises `CommandError`.
    """
    plain: Piped | None = None
    try:
        with piped(lambda into: decrypt(path, key, into, count)) as plain:
            found = _read(plain.stream)
    except TooNew as error:
        raise CommandError(f"{path} was made by a newer release: {error}", "use that release's `fab restore`") from None
    except Damaged as error:
        # What the archive lacks is told better by who could not decrypt it.
        if plain and plain.failure and not isinstance(plain.failure, BrokenPipeError):
            raise plain.failure from None
        raise CommandError(f"{path}: {error}", "take another backup") from None
    if plain.failure:
        raise plain.failure
    return found


def _read(stream: IO[bytes]) -> tuple[About, dict[str, dict[str, int]]]:
    reader, entries, size = Reader(stream), Counter[str](), Counter[str]()
    for info, content in reader.entries():
        entries[part(info.name)] += 1
        size[part(info.name)] += info.size
        while content is not None and content.read(1 << 20):
            pass
    return reader.about, {name: {"entries": entries[name], "bytes": size[name]} for name in sorted(entries)}


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    try:
        file = path.open("rb")
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}", "give a file that `fab backup` wrote") from error
    with file:
        yield file


class _Ends:
    """Both ends of a decryption. What fails in one of them is kept: pyrage makes an error of its own of it."""

    def __init__(self, file: IO[bytes], out: Any, count: Count) -> None:
        self._file, self._out, self._count = file, out, count
        self.failure: BaseException | None = None

    def read(self, size: int = -1) -> bytes:
        """Read, and count."""
        with self._kept():
            content = self._file.read(size)
            self._count(len(content))
            return content

    def write(self, content: bytes) -> int:
        """Hand on all of it."""
        with self._kept():
            self._out.write(content)
            return len(content)

    def flush(self) -> None:
        """Hand on what is held back."""
        with self._kept():
            self._out.flush()

    @contextmanager
    def _kept(self) -> Iterator[None]:
        try:
            yield
        except BaseException as error:
            self.failure = error
            raise
