"""`fab move-queue`: a host's queue from its file into the stack's table, or back."""

from invoke.context import Context

from provision.commands.options import ONE_HOST, task
from provision.commands.pause import pause_host
from provision.commands.table import KEY, require_table
from provision.errors import CommandError
from provision.onhost.pauses import ALL
from provision.progress import Progress
from provision.reach.connection import RemoteCommandFailed
from provision.reach.inventory import Inventory
from provision.system.secrets import FOLDER
from provision.target import load_target

CURRENT = "/opt/jada-agent/current"
SAYS = "table or file: where the queue is to be"


@task(positional=[], help={**ONE_HOST, "to": SAYS}, example="fab move-queue --to table --stack prod")
def move_queue(_context: Context, to: str, stack: str | None = None, host: str | None = None) -> None:
    """Pause a host, and move its queue into the stack's table or back into a file: counted, read back, compared.

    Nothing is deleted where it was. Cut off at any point, the host stays paused and neither place can be opened: run it
    again, in either direction. Then `fab deploy` with the setting that it names, and `fab resume`.
    """
    if to not in ("table", "file"):
        raise CommandError(f"--to {to} is no place of a queue" if to else "the queue needs a --to", f"it is {SAYS}")
    progress = Progress()
    target = load_target(stack)
    require_table(target.inventory)
    table = target.inventory.table_place
    require_one_host(target.inventory, to)
    with target.connected(host, progress) as box:
        pause_host(box, progress, ALL, f"its queue is moved: to {to}")
        try:
            with progress.step(f"{box.name}: move the queue, read it back and compare"):
                said = box.run(command(table, to)).decode().strip()
        except RemoteCommandFailed as error:
            cure = f"mend that and run it again; `fab move-queue --to {other(to)}` leaves the queue where it was"
            raise CommandError(f"{box.name}: {error.said}", cure) from error
    progress.say(f"{box.name}: {said}", "bold")
    setting = f'dashboard.table = "{table if to == "table" else ""}"'
    progress.say(f"next: {setting} in {target.source.file.name}, then `fab deploy`, then `fab resume`")


def require_one_host(inventory: Inventory, to: str) -> None:
    """Raise `CommandError` where a host's own file would leave the others without their queue."""
    if to == "file" and len(inventory.hosts) > 1:
        names = ", ".join(host.name for host in inventory.hosts)
        raise CommandError(
            f"{names} share the queue, and a file is one host's", "leave one name in jada:hosts, and run `pulumi up`"
        )


def command(table: str, to: str) -> list[str]:
    """Return the mover's command line: as the queue's user, in a unit whose one name lets only one run at a time."""
    properties = {
        "User": "jada-dashboard",
        "Group": "jada-queue",
        "UMask": "0077",
        "WorkingDirectory": f"{CURRENT}/app",
        "LoadCredential": f"{KEY}:{FOLDER}/{KEY}",
    }
    return [
        # --collect: a move that failed leaves no unit, whose name would refuse the next one.
        *("systemd-run", "--quiet", "--pipe", "--wait", "--collect", "--unit=jada-move-queue"),
        *(f"--property={name}={value}" for name, value in properties.items()),
        *(f"{CURRENT}/venv/bin/python", "-m", "dashboard.move", "--state", "/var/lib/jada-dashboard"),
        *("--table", table, "--to", to),
    ]


def other(place: str) -> str:
    """Return the place that a queue is not to be moved to."""
    return "file" if place == "table" else "table"
