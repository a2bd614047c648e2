"""A listening socket inside a sandbox, made from outside: nothing of ours runs within."""

import ctypes
import fcntl
import os
import socket

PORT = 3128
"""Where the proxy is, on the sandbox's own 127.0.0.1."""
_NS_GET_USERNS = 0xB701  # ioctl_ns(2)
# linux/sched.h: os.setns and its flags come with Python 3.12.
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
# linux/in.h; Python has no name for it.
_IP_FREEBIND = 15
# As many as the proxy carries at once (`AT_ONCE`): more wait in their connect.
_BACKLOG = 32
# Loaded beforehand: between fork and exit there is no safe moment for it.
_LIBC = ctypes.CDLL(None, use_errno=True)


def listen_inside(pid: int) -> socket.socket:
    """Return a socket that listens in the network of a process's sandbox. Raises OSError."""
    ours, theirs = socket.socketpair()
    with ours:
        child = os.fork()
        if child == 0:
            # Nothing but system calls in here, and never a return: this is a copy of the whole session.
            try:
                _enter(pid)
                _hand_back(theirs)
                os._exit(0)
            except BaseException as error:  # noqa: BLE001 - its number is all that gets out
                os._exit(getattr(error, "errno", None) or 1)
        theirs.close()
        _, fds, _, _ = socket.recv_fds(ours, 1, 1)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if not fds:
        raise OSError(status, f"no socket can be made inside a sandbox: {os.strerror(max(status, 0))}")
    return socket.socket(fileno=fds[0])


def _enter(pid: int) -> None:
    net = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
    user = fcntl.ioctl(net, _NS_GET_USERNS)
    # The user's first: who owns it may enter what belongs to it.
    for fd, kind in ((user, _CLONE_NEWUSER), (net, _CLONE_NEWNET)):
        if _LIBC.setns(fd, kind) != 0:
            raise OSError(ctypes.get_errno(), "setns")


def _hand_back(theirs: socket.socket) -> None:
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    # bubblewrap says who is inside before that one has its 127.0.0.1.
    listening.setsockopt(socket.IPPROTO_IP, _IP_FREEBIND, 1)
    listening.bind(("127.0.0.1", PORT))
    listening.listen(_BACKLOG)
    socket.send_fds(theirs, [b"x"], [listening.fileno()])
