"""The system calls that no call of a model makes, as a filter for the kernel (seccomp(2), classic BPF).

Each is a door to the kernel that work with files and programs does without. A nested user namespace gives a program all
capabilities over namespaces of its own, and io_uring does input and output that other filters never see.
"""

import errno
import platform
import struct
from collections.abc import Mapping

# From 424 on all machines have one number for a call; older calls have each machine's own.
_COMMON = {"io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427}
_X86 = {"add_key": 248, "request_key": 249, "keyctl": 250, "perf_event_open": 298, "bpf": 321, "userfaultfd": 323}
_ARM = {"add_key": 217, "request_key": 218, "keyctl": 219, "perf_event_open": 241, "bpf": 280, "userfaultfd": 282}
# Its flags are in memory, where a filter can't look: refused as unknown, C libraries use clone instead.
_CLONE3 = 435
_NEW_USER = 0x10000000
"""CLONE_NEWUSER of clone(2) and unshare(2), whose first argument both are."""
_X32 = 0x40000000
"""The bit of the x32 calls, which are the same calls under other numbers."""
# Offsets in struct seccomp_data; the argument's lower half, on machines that begin with it.
_NUMBER, _MACHINE, _FLAGS = 0, 4, 16
# linux/filter.h: load a word, jump if equal, if at least, if a bit is set, return.
_LOAD, _EQUAL, _AT_LEAST, _SET, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
# linux/seccomp.h; the error's number goes into the lower half. The whole process is killed, not only a thread.
_ALLOW, _ERROR, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_MACHINES = {"x86_64": (0xC000003E, _X86, 56, 272), "aarch64": (0xC00000B7, _ARM, 220, 97)}
"""By name: the kernel's number of the machine, what is refused, clone and unshare."""


def refused(machine: str = platform.machine()) -> Mapping[str, int]:
    """Return the calls that are refused whatever their arguments, by name."""
    return {**_COMMON, **_MACHINES[machine][1], "clone3": _CLONE3} if machine in _MACHINES else {}


def compiled(machine: str = platform.machine()) -> bytes:
    """Return the filter for bubblewrap's --seccomp; empty for a machine whose numbers we do not know."""
    if machine not in _MACHINES:
        return b""
    audit, _, clone, unshare = _MACHINES[machine]
    unknown, not_permitted = _ERROR | errno.ENOSYS, _ERROR | errno.EPERM
    lines = [
        (_LOAD, 0, 0, _MACHINE),
        # A 32-bit program has other numbers: it would walk past all below.
        (_EQUAL, 1, 0, audit),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
        *_when(_AT_LEAST, _X32, unknown),
        *(line for number in refused(machine).values() for line in _when(_EQUAL, number, unknown)),
        (_EQUAL, 2, 0, clone),
        (_EQUAL, 1, 0, unshare),
        (_RETURN, 0, 0, _ALLOW),
        (_LOAD, 0, 0, _FLAGS),
        *_when(_SET, _NEW_USER, not_permitted),
        (_RETURN, 0, 0, _ALLOW),
    ]
    return b"".join(struct.pack("=HBBI", *line) for line in lines)


def _when(test: int, value: int, then: int) -> tuple[tuple[int, int, int, int], ...]:
    """Return `then` when the word loaded last passes a test; otherwise go on."""
    return (test, 0, 1, value), (_RETURN, 0, 0, then)
