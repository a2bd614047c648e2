"""Whether a plan's memory holds what the units may take: their own limits, as they travel in the release."""

import re
from collections.abc import Mapping

from provision.errors import CommandError
from provision.release.bundle import FILES

PLANS = {
    "nano": 512, "micro": 1024, "small": 2048, "medium": 4096, "large": 8192, "xlarge": 16384, "2xlarge": 32768,
}  # fmt: skip
"""Megabytes of Lightsail's plans, by the first word of their ids."""
DEFAULT_PLAN = "micro_3_0"
"""What infra makes where the stack says nothing."""
SYSTEM_MB = 160
"""What Debian itself takes with sshd, cron, journald and its page cache of programs."""


def limits() -> dict[str, int]:
    """Return unit → its MemoryMax in megabytes."""
    found = {}
    for path in sorted((FILES / "units").glob("*.service")):
        if limit := re.search(r"^MemoryMax=(\d+)M$", path.read_text(encoding="utf-8"), re.MULTILINE):
            found[path.name] = int(limit[1])
    return found


def require_room(bundle: str, units: Mapping[str, int]) -> str:
    """Return how units fit a plan; raises `CommandError` where one's limit could never act.

    The limits' sum may exceed the plan: not all of them are reached at once. But a unit that may take more than there
    is meets the kernel's own choice of a victim before its limit, and that may be sshd.
    """
    memory = PLANS.get(bundle.partition("_")[0])
    if memory is None:
        raise CommandError(f"{bundle} is no plan that is known", f"the plans are {', '.join(PLANS)} (jada:bundle)")
    largest = max(units, key=lambda unit: units[unit])
    room = memory - SYSTEM_MB
    said = (
        f"{bundle} has {memory} MB; the largest unit, {largest}, may take {units[largest]} MB, "
        f"all together {sum(units.values())} MB"
    )
    if units[largest] > room:
        cure = "set jada:bundle to a larger plan (micro_3_0), and `pulumi up`"
        raise CommandError(f"{said}; beside the system there are {room} MB", cure)
    return said
