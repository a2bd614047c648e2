"""`fab door`: this machine's address let in through the firewall, and out again."""

import time
from collections.abc import Iterator, Mapping
from typing import Any

from invoke.context import Context
from invoke.exceptions import Exit

from provision.commands import admission
from provision.commands.options import EACH_HOST, JSON, task
from provision.progress import Progress, print_json
from provision.reach import door as doors
from provision.reach import firewall, inventory
from provision.release.wheels import cache


@task(
    help={
        **EACH_HOST,
        **JSON,
        "address": "the address to let in; otherwise the one as which this machine is seen",
        "out": "take out every address that is not the operators' and that no command here holds, and end",
        "show": "say who may come in, and change nothing; exit 1 where a door was left open",
    },
    example="fab door --stack prod",
    by_door=False,
)
def door(
    _context: Context,
    *,
    address: str | None = None,
    out: bool = False,
    show: bool = False,
    json: bool = False,
    stack: str | None = None,
    host: str | None = None,
) -> None:
    """Let this machine's address in to SSH until Ctrl-C, then out again; other commands do it themselves: --door."""
    progress = Progress(aside=json)
    if out or show or json:
        _look(progress, stack, host, out=out, json=json)
        return
    with admission.admitted(stack, host, address or True, progress.say):
        progress.say("Ctrl-C closes it")
        try:
            # Not signal.pause: it would not hear a signal that comes just before it.
            while True:
                time.sleep(0.2)
        except KeyboardInterrupt:
            progress.note("closing")


def _look(progress: Progress, stack: str | None, host: str | None, *, out: bool, json: bool) -> None:
    found = admission.read_inventory(stack)
    allowed = admission.operator_cidrs(found)
    rows = []
    for each in inventory.choose(found, host):
        wall = admission.firewall(found, each.name)
        taken = doors.sweep(wall, allowed, cache() / admission.HELD) if out else ()
        rows.append({"host": each.name, "taken_out": taken, **as_data(wall.state(), allowed)})
    if json:
        print_json({"operator_cidrs": allowed, "hosts": rows})
    else:
        for row in rows:
            for line in lines(row):
                progress.say(line)
    if any(row["left_open"] for row in rows) and not out:
        raise Exit(code=1)


def as_data(state: firewall.State, allowed: tuple[str, ...]) -> dict[str, Any]:
    """Return who may come in to a host, beside who should."""
    return {
        "ssh": [source for each in state if each.is_ssh for source in each.sources],
        "left_open": firewall.strays(state, allowed),
        "closed_to": firewall.absent(state, allowed),
        "other_ports": firewall.others(state),
    }


def lines(row: Mapping[str, Any]) -> Iterator[str]:
    """Say that for a reader."""
    yield f"{row['host']}: SSH is open to {', '.join(row['ssh']) or 'no address'}"
    if row["taken_out"]:
        yield f"    taken out: {', '.join(row['taken_out'])}"
    if row["left_open"]:
        yield f"    left open, not in operator-cidrs: {', '.join(row['left_open'])}; `fab door --out` takes it out"
    if row["closed_to"]:
        yield f"    closed to an operator's address: {', '.join(row['closed_to'])}; `pulumi up --refresh` opens it"
    if row["other_ports"]:
        yield f"    open besides: {', '.join(row['other_ports'])}; `pulumi up --refresh` closes it"
