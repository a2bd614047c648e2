"""`fab snapshots` and `fab snapshot`: what Lightsail keeps of a host's whole disk, what it costs, and one more."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from invoke.context import Context

from provision.commands.options import JSON, ONE_HOST, task
from provision.progress import Progress, print_json
from provision.reach import access, inventory
from provision.reach import snapshots as lightsail
from provision.reach.snapshots import Snapshot, Snapshots
from provision.target import load_target


@task(help={**ONE_HOST, **JSON}, example="fab snapshots --stack prod")
def snapshots(_context: Context, *, json: bool = False, stack: str | None = None, host: str | None = None) -> None:
    """List a host's snapshots at Lightsail, the latest first, with what they cost a month at most."""
    target = load_target(stack)
    name = inventory.single(target.inventory, host).name
    found = lightsail.listed(access.client(target.inventory), name)
    if json:
        print_json(as_data(name, found))
        return
    progress = Progress()
    for line in lines(name, found):
        progress.say(line)


@task(help=ONE_HOST, example="fab snapshot --stack prod")
def snapshot(_context: Context, stack: str | None = None, host: str | None = None) -> None:
    """Make a snapshot of a host's disk and wait until it is there: before what can't be undone, as a replacement.

    An instance that is made from it works as the host did then. One of a paused host stays paused.
    """
    progress, target = Progress(), load_target(stack)
    name = inventory.single(target.inventory, host).name
    wanted = f"{name}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    with progress.step(f"{name}: Lightsail makes the snapshot {wanted}"):
        made = lightsail.make(access.client(target.inventory), name, wanted)
    progress.say(f"{name}: {made.name} is {made.state}, {cost(made)}", "bold")


def lines(name: str, found: Snapshots) -> Iterator[str]:
    """Say an instance's snapshots."""
    if found.daily_at:
        yield f"{name}: one is made each day from {found.daily_at} UTC; the newest seven stay"
    else:
        yield f"{name}: none is made by itself; jada:snapshot-time in the stack's configuration has one made each day"
    for each in found.held:
        kind = "automatic" if each.automatic else "by hand"
        yield f"{each.name:<40} {each.made_at}  {each.state:<10} {kind:<10} {cost(each)}"
    if not found.held:
        yield "there is no snapshot"
        return
    known = sum(each.most_usd or 0 for each in found.held)
    unknown = sum(each.most_usd is None for each in found.held)
    beside = f", and {unknown} automatic whose size Lightsail does not tell" if unknown else ""
    yield f"together at most ${known:.2f} a month{beside}; ${lightsail.USD_PER_GB} for each GB that is stored"


def cost(snapshot: Snapshot) -> str:
    """Say what a snapshot costs."""
    if snapshot.most_usd is None:
        return "size not told"
    return f"{snapshot.gigabytes} GB, at most ${snapshot.most_usd:.2f} a month"


def as_data(name: str, found: Snapshots) -> dict[str, Any]:
    """Return them for a program."""
    return {
        "host": name,
        "daily_at": found.daily_at or None,
        "usd_per_gb_month": lightsail.USD_PER_GB,
        "snapshots": [
            {
                "name": each.name,
                "made_at": each.made_at,
                "state": each.state,
                "automatic": each.automatic,
                "gigabytes": each.gigabytes,
                "most_usd_a_month": each.most_usd,
            }
            for each in found.held
        ],
    }
