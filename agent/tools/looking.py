"""Read an image or a PDF for the model. This file runs inside the sandbox as a program of its own, for the file may be
anybody's: standard library, and pypdf for a PDF.

stdin: JSON with `path`, `pages` (first and last, -1 for the end, or null), `pypdf` (the folder with the package),
`most` bytes and `most_pages`. stdout: the bytes to show, of a PDF those of the pages. $REPORT_FD: JSON with what they
are. Exit code 1: stdout says what was wrong.
"""

import io
import json
import os
import re
import stat
import struct
import sys
from pathlib import Path
from typing import Any

_TEXT = re.compile(rb"\(((?:[^()\\]|\\.)*)\)|<([0-9A-Fa-f\s]+)>", re.DOTALL)


class CannotLook(Exception):
    """The file can't be shown, in words for the model."""


def look(asked: dict[str, Any], folder: Path) -> tuple[bytes, dict[str, Any]]:
    """Return the bytes to show and the facts of them: `width` and `height`, or `pages`, `first`, `of` and `glyphs`."""
    path = folder / asked["path"]
    content = _read(path, asked["most"])
    if content.startswith(b"%PDF-"):
        return _document(content, asked)
    size = _size(content)
    if size is None:
        raise CannotLook("It is no image whose size can be read: PNG, JPEG, GIF and WebP can be shown, and PDF.")
    return content, {"width": size[0], "height": size[1]}


def _read(path: Path, most: int) -> bytes:
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with os.fdopen(fd, "rb") as file:
        seen = os.fstat(fd)
        if not stat.S_ISREG(seen.st_mode):
            raise CannotLook(f"{path} is no file.")
        if seen.st_size > most:
            raise CannotLook(f"{path} has {seen.st_size} bytes, and {most} can be shown: make it smaller.")
        return file.read(most)


def _document(content: bytes, asked: dict[str, Any]) -> tuple[bytes, dict[str, Any]]:
    sys.path.insert(0, asked["pypdf"])
    try:
        import pypdf  # noqa: PLC0415 - of no use for an image
    except ImportError:
        raise CannotLook("PDF can't be shown on this host: look at it with bash.") from None
    reader = pypdf.PdfReader(io.BytesIO(content))
    if reader.is_encrypted:
        raise CannotLook("It is encrypted, and can't be shown: make an open copy of it first.")
    count = len(reader.pages)
    first, last = asked["pages"] or (1, -1)
    last = count if last == -1 else last
    if not 1 <= first <= last <= count:
        raise CannotLook(f"view_range counts the pages of a PDF: they are 1 to {count}.")
    # Before they are read: a page may name itself a million times.
    if last - first >= asked["most_pages"]:
        raise CannotLook(f"It has {count} pages, and {asked['most_pages']} can be shown: give a view_range of pages.")
    glyphs = sum(_glyphs(page) for page in reader.pages[first - 1 : last])
    if (first, last) != (1, count):
        writer, out = pypdf.PdfWriter(), io.BytesIO()
        writer.append(reader, pages=(first - 1, last))
        writer.write(out)
        content = out.getvalue()
    return content, {"pages": last - first + 1, "first": first, "of": count, "glyphs": glyphs}


def _glyphs(page: Any) -> int:
    """Count the bytes that a page writes as text, in its own content and in the forms that it places."""
    contents = page.get_contents()
    # Not by its truth: a stream without keys of its own is false.
    found = 0 if contents is None else _written(contents.get_data())
    forms = (page.get("/Resources") or {}).get("/XObject") or {}
    for name in forms:
        form = forms[name]
        if form.get("/Subtype") == "/Form":
            found += _written(form.get_data())
    return found


def _written(content: bytes) -> int:
    # Two hexadecimal digits are a byte; many fonts take two bytes for a glyph, and then this is twice too many.
    return sum(len(plain) + len(hexed) // 2 for plain, hexed in _TEXT.findall(content))


def _size(data: bytes) -> tuple[int, int] | None:
    """Return width and height, by the file's header."""
    try:
        if data.startswith(b"\x89PNG\r\n\x1a\n"):
            width, height = struct.unpack(">II", data[16:24])
        elif data.startswith(b"GIF8"):
            width, height = struct.unpack("<HH", data[6:10])
        elif data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            width, height = _size_of_webp(data)
        elif data.startswith(b"\xff\xd8\xff"):
            width, height = _size_of_jpeg(data)
        else:
            return None
    except (struct.error, IndexError, TypeError):
        return None
    return (width, height) if width > 0 and height > 0 else None


def _size_of_webp(data: bytes) -> tuple[int, int]:
    form = data[12:16]
    if form == b"VP8X":
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    if form == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    width, height = struct.unpack("<HH", data[26:30])
    return width & 0x3FFF, height & 0x3FFF


def _size_of_jpeg(data: bytes) -> tuple[int, int]:
    at = 2
    while data[at] == 0xFF:
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if marker == 0xFF:  # between segments there may be any number of them
            at += 1
            continue
        # A frame's header; C4, C8 and CC are tables.
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            return width, height
        at += 2 + length
    return 0, 0


def main() -> int:
    """Answer what is asked on stdin; 1 when it can't be done."""
    # Both are one pipe outside: a warning would end up among the bytes.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    try:
        content, facts = look(json.load(sys.stdin), Path.cwd())
    except CannotLook as error:
        sys.stdout.write(str(error))
        return 1
    except OSError as error:
        sys.stdout.write(f"It can't be read: {error.strerror}.")
        return 1
    except MemoryError:
        sys.stdout.write("It takes more memory to read than a call has.")
        return 1
    except Exception as error:  # noqa: BLE001 - pypdf meets whatever a file holds, and the model needs a word
        sys.stdout.write(f"It can't be read as a PDF ({type(error).__name__}): look at it with bash.")
        return 1
    os.write(int(os.environ["REPORT_FD"]), json.dumps(facts).encode())
    sys.stdout.buffer.write(content)
    return 0


if __name__ == "__main__":
    sys.exit(main())
