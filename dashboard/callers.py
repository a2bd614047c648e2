"""Who calls over the Unix socket, and what each may: the kernel says the user, and this table the rights.

A user who is not in the table may call only what is public, whatever the socket's mode lets in.
"""

import grp
import os
import pwd
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import lru_cache, partial

from wire.routes import Right

AGENT, SYNC, SENDER = "jada", "jada-sync", "jada-notify"
"""The users of our programs, as sysusers.d makes them."""
OPERATORS = "jada-operators"
"""The group whose members are operators; a deploy puts the host's login user into it."""

UID = "uid"
"""The key of `scope["state"]` under which a connection says its caller's user; TCP has none."""
PAGE_ONLY = "page_only"
"""The key of `scope["state"]` of a connection that may ask for the page only."""
PAGE_SOCKET = "page.sock"
"""The socket, beside the queue's, that has no API: `fab dashboard` leads to it from a port of the operator's machine,
which all users there can open. All come as one user of this host, so the page asks each to sign in.
"""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent a request: a user of this host, or the holder of a token."""

    name: str
    rights: frozenset[Right]


PUBLIC = Caller("someone", frozenset({Right.PUBLIC}))


@dataclass(frozen=True, slots=True)
class Callers:
    """User ids and what they stand for; `joined` looks up who became an operator, or is one no more, meanwhile."""

    agent: int | None = None
    sync: int | None = None
    sender: int | None = None
    operators: frozenset[int] = frozenset({0})
    joined: Callable[[], Collection[int]] = frozenset

    def rights(self, uid: int) -> frozenset[Right]:
        """Return what a user may; being one of our programs takes more away than being an operator gives."""
        if uid == self.agent:
            return frozenset({Right.PUBLIC, Right.AGENT})
        if uid == self.sync:
            return frozenset({Right.PUBLIC, Right.SYNC})
        if uid == self.sender:
            return frozenset({Right.PUBLIC, Right.TELL})
        is_operator = uid in self.operators or uid in self.joined()
        return frozenset(Right) if is_operator else frozenset({Right.PUBLIC})


def known() -> Callers:
    """Look up this machine's users. Who runs the dashboard can read its files anyway."""
    operators = frozenset({0, os.geteuid()})
    return Callers(_uid(AGENT), _uid(SYNC), _uid(SENDER), operators, partial(_members, OPERATORS))


@lru_cache(maxsize=64)
def user_name(uid: int) -> str:
    """Return how a user of this host is called. Looked up once: it reads a file, and each call asks for it."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def _members(name: str) -> frozenset[int]:
    try:
        members = grp.getgrnam(name).gr_mem
    except KeyError:
        return frozenset()
    return frozenset(uid for uid in map(_uid, members) if uid is not None)


def _uid(name: str) -> int | None:
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        return None
