"""A Python that has a program imported, a session's or `fab`, and is copied for each time that a test starts that.

The import of the SDK is most of the CPU of most sessions, 0.9 of 1.1 s; that of what `fab` stands on is half of most of
its commands'. A copy is a process of its own, with arguments, environment, standard streams and exit code as it was
asked for. Some tests start each for real: of sessions all of tests/e2e; of `fab` the demo, and all that documents name.
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
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
SESSION, FAB = "agent.session", "fab"
IMPORTED = {
    SESSION: (f"{SESSION}.__main__", "agent.session.api"),
    FAB: (
        *("fabric.main", "provision.commands.namespace", "provision.commands.program", "agent.record.price_file"),
        *(f"{part}.settings" for part in ("agent", "backup", "dashboard", "notify", "sync")),
    ),
}
"""What each imports at its start, and `fab` whenever it reads a stack's settings."""
_LARGEST = 65536


class Forks:
    """The Python that is copied, of the code in a folder; it ends with this process."""

    def __init__(self, program=SESSION, folder=ROOT):
        self.program = program
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        command = [sys.executable, "-m", "tests.forks", program, str(theirs.fileno())]
        # What it finds at its import is what the program would find.
        env = {name: value for name, value in os.environ.items() if name.startswith("PYTHON") or name == "PATH"}
        self._python = subprocess.Popen(command, cwd=folder, env=env, pass_fds=[theirs.fileno()])
        theirs.close()

    def run(self, *arguments, env, limit_s):
        """Run the program to its end without an input, as `subprocess.run` does."""
        with tempfile.TemporaryFile() as output, Path(os.devnull).open("rb") as nothing:
            process = self.start(*arguments, env=env, streams=(nothing.fileno(), output.fileno()))
            try:
                _, errors = process.communicate(limit_s)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
            output.seek(0)
            words = [self.program, *arguments]
            return subprocess.CompletedProcess(words, process.returncode, output.read().decode(), errors)

    @contextlib.contextmanager
    def running(self, *arguments, env):
        """Start the program without an input, and wait for its end behind the block; `stdout` has its errors too."""
        read, write = os.pipe()
        with open(read, encoding="utf-8") as stdout:  # noqa: PTH123 - a number
            with open(write, "wb") as output, Path(os.devnull).open("rb") as nothing:  # noqa: PTH123 - as above
                process = self.start(*arguments, env=env, streams=(nothing.fileno(), output.fileno(), output.fileno()))
            process.stdout = stdout
            try:
                yield process
            finally:
                process.communicate()

    def start(self, *arguments, env, hosts=None, streams=(0, 1)):
        """Start the program; where `hosts` names a file, that is its /etc/hosts.

        `streams` are its input and output, and where its errors go that are not to be read from the process.
        """
        errors, their_errors = os.pipe()
        ended, their_ended = os.pipe()
        asked = {"arguments": arguments, "env": env, "hosts": str(hosts) if hosts else None}
        socket.send_fds(self._control, [json.dumps(asked).encode()], [their_errors, their_ended, *streams])
        os.close(their_errors)
        os.close(their_ended)
        # With its handle: an id alone may be gone, or another's, by the time that it is looked up here.
        pid, (process,), *_ = socket.recv_fds(self._control, _LARGEST, 1)
        return Forked(int(pid), process, errors, ended)

    def close(self):
        self._control.close()
        self._python.wait(30)


class Forked:
    """The program's process, as far as `subprocess.Popen` is used of one."""

    def __init__(self, pid, process, errors, ended):
        self.pid, self.returncode, self.stdout = pid, None, None
        self._process, self._errors, self._ended = process, errors, ended

    def send_signal(self, number):
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._process, number)

    def kill(self):
        self.send_signal(signal.SIGKILL)

    def terminate(self):
        self.send_signal(signal.SIGTERM)

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
            raise subprocess.TimeoutExpired(f"the copy {self.pid}", 0)
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
            asked, given, *_ = socket.recv_fds(control, _LARGEST, 5)
            if not asked:
                sys.exit()  # with it goes what still runs: sessions die with who started them
            errors, ended, *streams = given
            pid = os.fork()
            if not pid:
                # Its object would later close a number that is another file's by then.
                control.detach()
                return json.loads(asked), (*streams, errors)[:3]
            for each in (errors, *streams):
                os.close(each)
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


def _become(program, asked, streams):
    """Run the program in this copy, as its start does."""
    for number, descriptor in enumerate(streams):
        os.dup2(descriptor, number)
    os.closerange(3, max(streams) + 64)
    if asked["hosts"]:
        _have_own_hosts(asked["hosts"])
    os.environ.clear()
    os.environ.update(asked["env"])
    sys.argv = [program, *asked["arguments"]]
    if program == FAB:
        sys.exit(sys.modules["fabric.main"].program.run())
    del sys.modules[f"{program}.__main__"]  # it runs anew; what it imports is there
    runpy.run_module(program, run_name="__main__", alter_sys=True)


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
    _, wanted, number = sys.argv
    for each in IMPORTED[wanted]:
        importlib.import_module(each)
    _become(wanted, *_serve(socket.socket(fileno=int(number))))
