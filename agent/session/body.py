"""A request as it is sent: JSON in pieces, of which the images and documents are read from their files, and encoded,
while they go out. In memory there is never more of them than a piece.
"""

import base64
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from agent.record import media
from wire.values import dump

Block = dict[str, Any]
_PIECE = 48 * 1024
"""Bytes of a file for a piece: a number that three divides, so that pieces of base64 are one text together."""


class Body:
    """The body of a request with these parameters; `kept` gives the file of what it shows by its SHA-256. It can be
    gone through more than once.
    """

    def __init__(self, parameters: Block, kept: Callable[[str], Path | None]) -> None:
        self._kept = kept
        self._parts: list[bytearray | Path] = [bytearray()]
        around = dump({name: value for name, value in parameters.items() if name != "messages"})
        self._add(around[:-1] + b',"messages":[')
        for n, message in enumerate(parameters["messages"]):
            self._add((b"," if n else b"") + b'{"role":' + dump(message["role"]) + b',"content":')
            self._content(message["content"])
            self._add(b"}")
        self._add(b"]}")
        self.size = sum(len(part) if isinstance(part, bytearray) else _encoded(part) for part in self._parts)
        """Its bytes."""

    def __iter__(self) -> Iterator[bytes]:
        for part in self._parts:
            if isinstance(part, bytearray):
                yield bytes(part)
            else:
                with part.open("rb") as file:
                    while piece := file.read(_PIECE):
                        yield base64.b64encode(piece)

    def _add(self, text: bytes) -> None:
        # Behind the text before it: each part is sent by itself.
        if isinstance(self._parts[-1], Path):
            self._parts.append(bytearray())
        last = self._parts[-1]
        assert isinstance(last, bytearray)  # noqa: S101 - or one was just put there
        last += text

    def _content(self, content: str | list[Block]) -> None:
        if isinstance(content, str):
            return self._add(dump(content))
        self._add(b"[")
        for n, block in enumerate(content):
            self._add(b"," if n else b"")
            self._block(block)
        return self._add(b"]")

    def _block(self, block: Block) -> None:
        if isinstance(block.get("content"), list):
            self._add(dump({name: value for name, value in block.items() if name != "content"})[:-1] + b',"content":')
            self._content(block["content"])
            self._add(b"}")
        elif shown := media.shown_by(block):
            self._show(block["type"], shown)
        else:
            self._add(dump(block))

    def _show(self, kind: str, shown: Block) -> None:
        path = self._kept(shown["sha256"])
        if path is None:  # the session goes on on another host
            gone = f"[{shown['name']} was shown here, and is not on this host: view it again]"
            return self._add(dump({"type": "text", "text": gone}))
        text = dump({"type": kind, "source": {"type": "base64", "media_type": shown["media_type"], "data": ""}})
        # The data's end: its quote, and the ends of two objects.
        head, tail = text[:-3], text[-3:]
        self._add(head)
        self._parts.append(path)
        return self._add(tail)


def _encoded(path: Path) -> int:
    return -(-path.stat().st_size // 3) * 4
