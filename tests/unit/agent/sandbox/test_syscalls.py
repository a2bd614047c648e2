"""The filter of system calls, walked as the kernel walks it."""

import errno
import struct

import pytest

from agent.sandbox import syscalls

X86, ARM, ALLOWED, KILLED = 0xC000003E, 0xC00000B7, 0x7FFF0000, 0x80000000
NEW_USER, NEW_PID = 0x10000000, 0x20000000


def answer(machine, audit, number, flags=0):
    """What the kernel does with a call: bpf_prog_run of classic BPF, as far as the filter uses it."""
    data = {0: number, 4: audit, 16: flags}
    lines = list(struct.iter_unpack("=HBBI", syscalls.compiled(machine)))
    at, loaded = 0, 0
    while True:
        code, yes, no, value = lines[at]
        at += 1
        if code == 0x20:
            loaded = data[value]
        elif code == 0x06:
            return value
        else:
            passes = {0x15: loaded == value, 0x35: loaded >= value, 0x45: bool(loaded & value)}[code]
            at += yes if passes else no


def error(code):
    return 0x50000 | code


@pytest.mark.parametrize(("machine", "audit", "read"), [("x86_64", X86, 0), ("aarch64", ARM, 63)])
def test_every_call_of_the_list_is_unknown_and_others_are_allowed(machine, audit, read):
    assert {answer(machine, audit, n) for n in syscalls.refused(machine).values()} == {error(errno.ENOSYS)}
    assert answer(machine, audit, read) == ALLOWED
    assert {"io_uring_setup", "keyctl", "bpf", "clone3"} <= set(syscalls.refused(machine))


@pytest.mark.parametrize(
    ("machine", "audit", "clone", "unshare"), [("x86_64", X86, 56, 272), ("aarch64", ARM, 220, 97)]
)
def test_only_new_user_namespaces_are_refused_of_new_processes(machine, audit, clone, unshare):
    for number in (clone, unshare):
        assert answer(machine, audit, number, NEW_USER | NEW_PID | 17) == error(errno.EPERM)
        assert answer(machine, audit, number, 17) == ALLOWED


def test_programs_with_other_numbers_do_not_walk_past_it():
    i386 = 0x40000003
    assert answer("x86_64", i386, 425) == KILLED
    assert answer("x86_64", X86, 0x40000000 | 425) == error(errno.ENOSYS)


def test_a_machine_that_is_not_known_has_no_filter():
    assert (syscalls.compiled("riscv64"), syscalls.refused("riscv64")) == (b"", {})
