"""Bad days of the API, on request: the next calls of the Messages API get an error, hang, or break off mid-stream."""

from collections import deque
from dataclasses import dataclass

from wire.values import Invalid, rule

STATUSES = (429, 500, 529)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What happens to the next `count` requests.

    `status`: they get that status, with a Retry-After of `retry_after` seconds where given. `hang`: nothing comes for
    `seconds`, then the connection is closed. `cut`: the stream breaks off after `after_events` events.
    """

    kind: str = rule(choices=("status", "hang", "cut"))
    count: int = rule(default=1, least=1, most=100_000)
    status: int = 529
    retry_after: int | None = rule(default=None, least=0)
    seconds: float = rule(default=60, least=0, most=3600)
    after_events: int = rule(default=3, least=0)

    def __post_init__(self) -> None:
        if self.status not in STATUSES:
            raise Invalid("status", f"must be one of {', '.join(map(str, STATUSES))}, not {self.status}")


class Faults:
    """The faults still to come, first ordered first played; lost when the double restarts."""

    def __init__(self) -> None:
        self._coming: deque[Fault] = deque()

    def order(self, fault: Fault) -> None:
        """Let the next `count` requests fail."""
        self._coming.extend([fault] * fault.count)

    def clear(self) -> None:
        """Be well again at once."""
        self._coming.clear()

    def next(self) -> Fault | None:
        """Take the fault of the request that is now answered, if it has one."""
        return self._coming.popleft() if self._coming else None

    def __len__(self) -> int:
        return len(self._coming)
