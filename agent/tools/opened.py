"""What a task sees of the host's repositories: the mirrors of those that it opened, and a cache, so that what a package
manager has fetched for one task is there for the next.

A cache holds whatever tasks wrote there, and a later task runs it. So it is shared only by tasks that opened the same
repositories: what is in one was written where nothing but their own code was. Which those are is noted outside of every
sandbox, before anything of one comes into the workspace; of a workspace that came from elsewhere nothing is known.
"""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from agent.record import durable
from agent.record import workspace as workspaces
from agent.sandbox.command import Mounts
from agent.sandbox.room import held
from agent.settings import Repository
from wire.disk import remove_tree
from wire.values import Written

SHOWN = "/repositories"
"""Where the mirrors are inside."""
CACHE = "/cache"
"""Where the cache is inside."""
LEAST_FREE = 1 << 30
"""Bytes free on the host's disk without which there is no cache: what is fetched again is worth less than room."""
# A cache is of one set of repositories: tasks that open ever other ones must not fill the disk.
_MOST_CACHES = 10
# Of those who would not look below $XDG_CACHE_HOME. uv links from its cache, which no link from another mount can.
_VARIABLES = {
    "XDG_CACHE_HOME": CACHE,
    "UV_LINK_MODE": "copy",
    "npm_config_cache": f"{CACHE}/npm",
    "GOMODCACHE": f"{CACHE}/go",
    "CARGO_HOME": f"{CACHE}/cargo",
}


class _Opened(Written, frozen=True, kw_only=True):
    """What a task has opened so far, on this host."""

    repositories: tuple[str, ...] = ()


class Opened:
    """The repositories that one task has opened. Make it before anything is laid out in a new workspace: only of one
    that is empty is it known that nothing was opened.
    """

    def __init__(
        self,
        workspace: Path,
        mirrors: Path,
        caches: Path,
        settings: Mapping[str, Repository],
        least_free: int = LEAST_FREE,
    ) -> None:
        self._note = workspaces.opened(workspace)
        self._mirrors, self._caches = mirrors, caches
        self._settings = settings
        if not self._note.exists() and not (workspace.exists() and any(workspace.iterdir())):
            self._note.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            durable.write(self._note, _Opened())
        if caches.exists() and shutil.disk_usage(caches).free < least_free:
            remove_tree(caches)

    def open(self, name: str) -> bool:
        """Note that something of a repository comes into the workspace; return whether there is a cache for it."""
        known = durable.read(_Opened, self._note)
        if known is not None and name not in known.repositories:
            durable.write(self._note, _Opened(repositories=tuple(sorted({*known.repositories, name}))))
        if (cache := self._cache()) is None:
            return False
        if held(cache) > self._most_bytes():
            remove_tree(cache)
        cache.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.utime(cache)
        self._forget()
        return True

    def mounts(self) -> Mounts:
        """Return what the task's calls see."""
        known = durable.read(_Opened, self._note)
        if known is None:
            return Mounts(read={SHOWN: str(self._mirrors)})
        there = [(name, self._mirrors / name) for name in known.repositories]
        read = {f"{SHOWN}/{name}": str(path) for name, path in there if path.is_dir()}
        if (cache := self._cache()) is None:
            return Mounts(read=read)
        # It may have been removed for want of room, and variables that a shell carries on still name it.
        cache.mkdir(mode=0o700, parents=True, exist_ok=True)
        return Mounts(read=read, write={CACHE: str(cache)}, variables=_VARIABLES)

    def _cache(self) -> Path | None:
        """The cache of just these repositories; None for none of them, and where one of them is to have none."""
        known = durable.read(_Opened, self._note)
        wanted = known is not None and known.repositories and self._most_bytes() > 0
        return self._caches / "+".join(known.repositories) if known and wanted else None

    def _most_bytes(self) -> int:
        known = durable.read(_Opened, self._note) or _Opened()
        # One that is no longer in settings has nothing to say any more.
        mb = [self._settings[name].cache_mb if name in self._settings else 0 for name in known.repositories]
        return min(mb, default=0) << 20

    def _forget(self) -> None:
        """Remove caches of repositories that settings no longer name, and of too many the longest unused ones."""
        newest = sorted(self._caches.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
        named = [path for path in newest if self._settings.keys() >= {*path.name.split("+")}]
        for path in {*newest} - {*named[:_MOST_CACHES]}:
            remove_tree(path)
