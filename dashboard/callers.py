"""Who calls over the Unix socket, and what each may: the kernel says the user, and this table the rights.

A user who is not in the table may call only what is public, whatever the socket's mode lets in.
"""

import grp
import pwd
from dataclasses import dataclass

from wire.routes import Right

AGENT, SYNC, SENDER = "jada", "jada-sync", "jada-notify"
"""The users of our programs, as sysusers.d makes them."""
OPERATORS = "sudo"
"""The group whose members are operators: they can be root anyway."""

UID = "uid"
"""The key of `scope["state"]` under which a connection says its caller's user; TCP has none."""


@dataclass(frozen=True, slots=True)
class Callers:
    """User ids and what they stand for."""

    agent: int | None = None
    sync: int | None = None
    sender: int | None = None
    operators: frozenset[int] = frozenset({0})

    def rights(self, uid: int) -> frozenset[Right]:
        """Return what a user may; being one of our programs takes more away than being an operator gives."""
        if uid == self.agent:
            return frozenset({Right.PUBLIC, Right.AGENT})
        if uid == self.sync:
            return frozenset({Right.PUBLIC, Right.SYNC})
        if uid == self.sender:
            return frozenset({Right.PUBLIC, Right.TELL})
        return frozenset(Right) if uid in self.operators else frozenset({Right.PUBLIC})


def known() -> Callers:
    """Look up this machine's users."""
    return Callers(_uid(AGENT), _uid(SYNC), _uid(SENDER), frozenset({0, *_members(OPERATORS)}))


def _members(name: str) -> set[int]:
    try:
        members = grp.getgrnam(name).gr_mem
    except KeyError:
        return set()
    return {uid for uid in map(_uid, members) if uid is not None}


def _uid(name: str) -> int | None:
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        return None
