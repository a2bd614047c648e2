"""At boot, before our units: a release that was not proven when the power went is left for the last proven one.

`jada-recover.service` runs it, from a file outside of all releases, where `pending.json` is.
"""

import subprocess
import time
from collections.abc import Callable

from provision.onhost import switching, units
from provision.onhost.events import Events
from provision.onhost.runs import Record

TRIES = 5
Systemctl = Callable[[list[str]], bool]


def _systemctl(words: list[str]) -> bool:
    return subprocess.run(["systemctl", *words], capture_output=True, check=False).returncode == 0


def main(
    record: Record | None = None,
    systemctl: Systemctl = _systemctl,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Go back if there is something to go back from and to; say so in the events of the deploy that was cut off."""
    record = record or Record()
    pending = record.pending()
    if pending is None or pending["release"] in record.proven():
        record.end()
        return 0
    events, release = Events(record.run(pending["run"]) / "events"), pending["release"]
    kind = "reverted" if events.says("deployed") else "failed"
    to = switching.proven_before(record, release)
    cause = f"the host restarted before release {release} was proven"
    if to is None:
        events.emit(
            **{kind: f"{cause}. There is no proven release to go back to: it stays, and its worker takes no task"}
        )
        return 0
    switching.point_current(record, to)
    record.end()
    events.emit(**{kind: f"{cause}. The host went back to release {to}, the last proven one, while it started"})
    known = switching.known_units(record, to)
    _start([unit for unit in pending["healthy"] if unit in known], systemctl, sleep)
    systemctl(units.report_words("jada-recover.service"))
    return 0


def _start(services: list[str], systemctl: Systemctl, sleep: Callable[[float], None]) -> None:
    """Have the units started as they are now; without waiting, for the boot waits for this program."""
    for number in range(TRIES):
        if all([systemctl(["daemon-reload"]), *(systemctl(["start", "--no-block", unit]) for unit in services)]):
            return
        sleep(1.0 + number)
