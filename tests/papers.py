"""Images and PDF documents as users have them, made here."""

import io
import struct
import zlib

from pypdf import PdfWriter
from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject


def png(width, height):
    """A whole PNG, black."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    rows = zlib.compress(bytes(1 + -(-width // 8)) * height)
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def pdf(pages, words="words", password=None):
    """A PDF whose every page says `words`."""
    writer, out = PdfWriter(), io.BytesIO()
    font = DictionaryObject(
        {
            NameObject(k): NameObject(v)
            for k, v in {"/Type": "/Font", "/Subtype": "/Type1", "/BaseFont": "/Courier"}.items()
        }
    )
    for _ in range(pages):
        page = writer.add_blank_page(300, 300)
        said = DecodedStreamObject()
        said.set_data(f"BT /F1 9 Tf 9 9 Td ({words}) Tj ET".encode())
        page[NameObject("/Contents")] = writer._add_object(said.flate_encode())
        page[NameObject("/Resources")] = DictionaryObject(
            {NameObject("/Font"): DictionaryObject({NameObject("/F1"): font})}
        )
    if password:
        writer.encrypt(password, algorithm="RC4-128")
    writer.write(out)
    return out.getvalue()
