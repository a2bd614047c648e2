"""`fab logs`: the journal of our units."""

from invoke.context import Context

from provision.commands.options import ONE_HOST, task
from provision.errors import CommandError
from provision.progress import Progress
from provision.reach.connection import RemoteCommandFailed
from provision.system.units import UNITS
from provision.target import load_target

DEPLOYS = ("jada-deploy.service", "jada-recover.service")
"""The units of a deploy, and of what undoes one at boot."""


@task(
    help={**ONE_HOST, "unit": "only this unit's lines", "since": "from when on, as journalctl takes it"},
    example="fab logs --unit jada-agent --since today",
)
def logs(
    _context: Context, unit: str | None = None, since: str = "-1h", stack: str | None = None, host: str | None = None
) -> None:
    """Print the journal of our units."""
    command = journal_command(unit, since)
    progress = Progress(aside=True)
    target = load_target(stack)
    with target.connected(host, progress) as box:
        try:
            for line in box.lines(command):
                progress.say(line.decode(errors="replace").rstrip())
        except RemoteCommandFailed as error:
            raise CommandError(
                f"{box.name}: journalctl: {error.said}", "give --since as -2h, today or '2026-05-13 08:00'"
            ) from error


def journal_command(unit: str | None, since: str) -> list[str]:
    """Return the journalctl command for our units, or one of them; raises `CommandError` for a unit not ours."""
    asked = UNITS if unit is None else (*UNITS, *DEPLOYS)
    ours = [name for name in asked if unit in (None, name, name.removesuffix(".service"))]
    if not ours:
        known = ", ".join(name.removesuffix(".service") for name in asked)
        raise CommandError(f"no unit {unit}", f"one of {known}; others: fab ssh --command 'journalctl --unit NAME'")
    return [
        # The host has a name of its own in the journal, which no other command shows.
        *("journalctl", "--no-pager", "--no-hostname", "--output", "short-iso", f"--since={since}"),
        *(f"--unit={name}" for name in ours),
    ]
