"""A Python that has a session's program imported, and is copied for each session that a test starts.

The import of the SDK is most of the CPU of most sessions, 0.9 of 1.1 s. A copy is a process of its own, with arguments,
environment, standard error and exit code as it was asked for. Some tests start it for real, and all of tests/e2e.
"""

import contextlib
import ctypes
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROGRAM = "agent.session"
_LARGEST = 65536


class Forks:
    """The Python that is copied; it ends with this process."""

    def __init__(self):
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        command = [sys.executable, "-m", "tests.forks", str(theirs.fileno())]
        # What it finds at its import is what the sessions would find.
        env = {name: value for name, value in os.environ.items() if name.startswith("PYTHON") or name == "PATH"}
        self._python = subprocess.Popen(command, cwd=ROOT, env=env, pass_fds=[theirs.fileno()])
        theirs.close()

    def start(self, *arguments, env, hosts=None):
        """Start a session; where `hosts` names a file, that is its /etc/hosts."""
        errors, their_errors = os.pipe()
        ended, their_ended = os.pipe()
        asked = {"arguments": arguments, "env": env, "hosts": str(hosts) if hosts else None}
        socket.send_fds(self._control, [json.dumps(asked).encode()], [their_errors, their_ended])
        os.close(their_errors)
        os.close(their_ended)
        # With its handle: an id alone may be gone, or another's, by the time that it is looked up here.
        pid, (process,), *_ = socket.recv_fds(self._control, _LARGEST, 1)
        return Forked(int(pid), process, errors, ended)

    def close(self):
        self._control.close()
        self._python.wait(30)


class Forked:
    """A session's process, as far as `subprocess.Popen` is used of one."""

    def __init__(self, pid, process, errors, ended):
        self.pid, self.returncode = pid, None
        self._process, self._errors, self._ended = process, errors, ended

    def send_signal(self, number):
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._process, number)

    def kill(self):
        self.send_signal(signal.SIGKILL)

    def communicate(self, timeout=60):
        """Read standard error to its end, and wait for the process's."""
        until, said = time.monotonic() + timeout, b""
        while piece := self._read(self._errors, until):
            said += piece
        self.returncode = int(self._read(self._ended, until))
        for descriptor in (self._process, self._errors, self._ended):
            os.close(descriptor)
        return None, said.decode()

    def _read(self, descriptor, until):
        waiting = select.poll()
        waiting.register(descriptor, select.POLLIN)
        if not waiting.poll(max(0, until - time.monotonic()) * 1000):
            raise subprocess.TimeoutExpired(PROGRAM, 0)
        return os.read(descriptor, _LARGEST)


def _serve(control):
    """Start what is asked for and say how it ended; return in each copy, with what that one is to do."""
    waiting, running = select.poll(), {}
    waiting.register(control, select.POLLIN)
    while True:
        for descriptor, _ in waiting.poll():
            if descriptor in running:
                waiting.unregister(descriptor)
                _tell_end(descriptor, *running.pop(descriptor))
                continue
            asked, given, *_ = socket.recv_fds(control, _LARGEST, 2)
            if not asked:
                sys.exit()  # with it goes what still runs: sessions die with who started them
            errors, ended = given
            pid = os.fork()
            if not pid:
                # Its object would later close a number that is another file's by then.
                control.detach()
                return json.loads(asked), errors
            os.close(errors)
            process = os.pidfd_open(pid)
            running[process] = pid, ended
            waiting.register(process, select.POLLIN)
            socket.send_fds(control, [str(pid).encode()], [process])


def _tell_end(process, pid, ended):
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    with contextlib.suppress(BrokenPipeError):  # nobody waits for it any more
        os.write(ended, str(code).encode())
    os.close(ended)
    os.close(process)


def _become(asked, errors):
    """Run the program in this copy, as Python's `-m` does."""
    os.dup2(errors, 2)
    os.closerange(3, errors + 64)
    if asked["hosts"]:
        _have_own_hosts(asked["hosts"])
    os.environ.clear()
    os.environ.update(asked["env"])
    sys.argv = [PROGRAM, *asked["arguments"]]
    del sys.modules[f"{PROGRAM}.__main__"]  # it runs anew; what it imports is there
    runpy.run_module(PROGRAM, run_name="__main__", alter_sys=True)


def _have_own_hosts(file):
    """What `unshare --mount` and `mount --bind` do."""
    new_mounts, bind, recursive, private = 0x20000, 0x1000, 0x4000, 0x40000
    libc = ctypes.CDLL(None, use_errno=True)
    if (
        libc.unshare(new_mounts)
        or libc.mount(None, b"/", None, recursive | private, None)
        or libc.mount(file.encode(), b"/etc/hosts", None, bind, None)
    ):
        raise OSError(ctypes.get_errno(), "no names of its own")


if __name__ == "__main__":
    for each in (f"{PROGRAM}.__main__", "agent.session.api"):
        importlib.import_module(each)
    _become(*_serve(socket.socket(fileno=int(sys.argv[1]))))
