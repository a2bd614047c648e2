"""Images and PDF documents for the model: read inside the sandbox, kept beside the journal, told to the request."""

import importlib.util
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from agent.record import media
from agent.record.blobs import Blobs
from agent.sandbox.command import BROUGHT
from agent.sandbox.run import Sandbox
from agent.sandbox.waiting import Job
from agent.tools import looking
from agent.tools.result import OUT_OF_MEMORY, CallFailed, Result

SHOWN = "/opt/jada"
"""The folder inside in which pypdf is."""
_LOOKING = Path(looking.__file__).read_bytes()


def library() -> dict[str, Path]:
    """Return the folder that a sandbox must show for PDF: path inside → path here. Nothing of it is imported."""
    found = importlib.util.find_spec("pypdf")
    return {f"{SHOWN}/pypdf": Path(found.origin).parent} if found and found.origin else {}


class Viewer:
    """Shows files of one session's sandbox; `no_room` says why something can't be shown now, nothing when it can."""

    def __init__(self, sandbox: Sandbox, blobs: Blobs, no_room: Callable[[media.Block], str]) -> None:
        self._sandbox = sandbox
        self._blobs = blobs
        self._no_room = no_room

    def view(self, path: str, pages: Sequence[int] | None) -> Result:
        """Return the result that shows a file, of a PDF perhaps some pages only. Raises `CallFailed`."""
        one = self.keep(path, pages)
        return Result(f"{media.caption(one)}: it is shown here.", carries={"shown": [one]})

    def keep(self, path: str, pages: Sequence[int] | None = None) -> media.Block:
        """Read a file, keep its bytes, and return what a record says of it. Raises `CallFailed`."""
        with self._blobs.draft() as draft:
            head, facts = self._looked(path, pages, draft)
            found = media.kind(head)
            if found is None:
                raise CallFailed(f"{path} changed while it was read: view it again.")
            one = {"name": Path(path).name[:200], "media_type": found, "bytes": draft.tell(), **_cost(facts)}
            if why := self._no_room(one):
                raise CallFailed(f"{media.caption(one)} can't be shown: {why}")
            return {**one, "sha256": self._blobs.keep(draft)}

    def _looked(self, path: str, pages: Sequence[int] | None, draft: BinaryIO) -> tuple[bytes, dict[str, Any]]:
        """Write the bytes to show into a draft; return the first of them, and their facts."""
        asked = {"path": path, "pages": pages, "pypdf": SHOWN, "most": media.MOST_BYTES, "most_pages": media.MOST_PAGES}
        job = Job(
            ["/usr/bin/python3", "-I", "-S", f"{BROUGHT}/looking"],
            stdin=json.dumps(asked).encode(),
            files={"looking": _LOOKING},
        )
        outcome = self._sandbox.run(job, into=(draft, media.MOST_BYTES))
        if outcome.code != 0:
            said = outcome.head.decode(errors="replace").strip() or "It took too long to read."
            raise CallFailed(f"{path} can't be shown. {OUT_OF_MEMORY if outcome.memory else said}")
        if outcome.left_out:
            most = media.MOST_BYTES // 10**6
            raise CallFailed(f"{path} can't be shown: these pages are over {most} MB. Show fewer.")
        return outcome.head, json.loads(outcome.report)


def _cost(facts: dict[str, Any]) -> dict[str, int]:
    if "pages" in facts:
        pages = facts["pages"]
        tokens = media.pdf_tokens(pages, facts["glyphs"])
        usual = max(pages * media.PAGE_USUAL, facts["glyphs"] // 4)
        return {"pages": pages, "first": facts["first"], "of": facts["of"], "tokens": tokens, "usual": usual}
    tokens = media.image_tokens(facts["width"], facts["height"])
    return {"side": max(facts["width"], facts["height"]), "tokens": tokens, "usual": tokens}
