"""Signals as a flag and a wake-up: SIGTERM and SIGINT ask for the end, SIGCHLD says that a child has changed."""

import select
import signal
import socket
from types import FrameType, TracebackType
from typing import Self

_HEARD = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)


class Signals:
    """While entered (in the main thread), handlers set `stop`, and every signal ends a `wait` early."""

    def __init__(self) -> None:
        self.stop = False

    def wait(self, seconds: float) -> None:
        """Wait until a signal comes, or `seconds` are over; a signal that came before the wait counts."""
        readable, _, _ = select.select([self._woken], [], [], max(0.0, seconds))
        if readable:
            self._woken.recv(4096)

    def _ask_to_stop(self, _number: int, _frame: FrameType | None) -> None:
        self.stop = True

    def __enter__(self) -> Self:
        self._woken, self._waker = socket.socketpair()
        self._woken.settimeout(0)
        # set_wakeup_fd refuses a blocking descriptor: a full socket would hang in the handler.
        self._waker.settimeout(0)
        self._old_fd = signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        # An empty handler, because without any Python writes nothing to the wake-up descriptor.
        handlers = {signal.SIGCHLD: lambda _number, _frame: None}
        self._old = {number: signal.signal(number, handlers.get(number, self._ask_to_stop)) for number in _HEARD}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for number, handler in self._old.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._old_fd)
        self._woken.close()
        self._waker.close()
