"""How a task's workspace comes to the host that goes on with it: from the host before, by the queue's blobs.

A file beside each workspace holds which states of it this host knows to be in its own: what the queue names in a claim
is then here, or older than what is here.
"""

import logging
from collections.abc import Callable
from pathlib import Path

from agent.record import durable, workspace
from wire.disk import remove_tree
from wire.types import Claim, LeftWorkspace
from wire.values import Written

log = logging.getLogger(__name__)

LOST = (
    "all that an earlier session wrote: its host did not hand over its workspace, and commands that this conversation "
    "does not know of may have run there"
)


class _Known(Written, frozen=True, kw_only=True):
    """The workspace as it was sent last, and before."""

    sha256: tuple[str, ...] = ()


class Workspaces:
    """All workspaces of a host, each a folder by its task's id."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def place(self, task: str) -> Path:
        """Return where a task's workspace is, or would be."""
        return self._folder / task

    def arrive(self, claim: Claim, fetch: Callable[[], bytes], *, began: bool) -> tuple[str, ...]:
        """Make the workspace of a claim what its last session left; return what of that is not here, in words.
        `began`: a session has worked on the task before. Raises OSError; what `fetch` raises.
        """
        place, left = self.place(claim.task.id), claim.workspace
        is_there = place.exists()
        if left is None or (is_there and left.sha256 in self._known(claim.task.id).sha256):
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
            return (LOST,) if began and not is_there else ()
        archive = fetch()
        if workspace.digest(archive) != left.sha256:
            raise OSError("the workspace that the queue sent is not the one that it named")
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # First: what was opened elsewhere is not known here.
        workspace.opened(place).unlink(missing_ok=True)
        try:
            workspace.unpack(archive, place)
        except workspace.CannotUnpack as error:
            raise OSError(str(error)) from error
        self._keep(claim.task.id, (left.sha256,))
        log.info("the workspace of task %s came from another host: %d bytes", claim.task.id, len(archive))
        return left.missing

    def leave(self, task: str, taken: int = 0) -> LeftWorkspace | None:
        """Return what travels, within the bound less the bytes that are `taken`; None where there is nothing."""
        place = self.place(task)
        if not place.is_dir():
            return None
        try:
            packed = workspace.pack(place, max(workspace.MOST - taken, 0))
            # Before it is sent: if the answer is lost, the queue has this state or the one before.
            self._keep(task, (packed.sha256, *self._known(task).sha256[:1]))
        except OSError as error:
            log.warning("the workspace of task %s does not travel: %s", task, error)
            return None
        return LeftWorkspace(archive=packed.archive, missing=packed.missing)

    def remove(self, task: str) -> None:
        """Remove a finished task's workspace, and all that stands beside it."""
        for path in (self.place(task), *self._folder.glob(f".{task}.*")):
            if path.is_dir():
                remove_tree(path)
            else:
                path.unlink(missing_ok=True)

    def _known(self, task: str) -> _Known:
        return durable.read(_Known, self._folder / f".{task}.known") or _Known()

    def _keep(self, task: str, sha256: tuple[str, ...]) -> None:
        durable.write(self._folder / f".{task}.known", _Known(sha256=sha256))
