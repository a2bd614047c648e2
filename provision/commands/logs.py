"""`fab logs`: the journal of our units."""

from invoke.context import Context

from provision.commands.options import ONE_HOST, task
from provision.progress import Progress
from provision.release.bundle import UNITS
from provision.target import load_target


@task(help={**ONE_HOST, "unit": "only this unit's lines", "since": "from when on, as journalctl takes it"})
def logs(
    _context: Context, unit: str | None = None, since: str = "-1h", stack: str | None = None, host: str | None = None
) -> None:
    """Print the journal of our units."""
    progress = Progress(aside=True)
    target = load_target(stack)
    with target.connected(host, progress) as box:
        for line in box.lines(journal_command(unit, since)):
            progress.say(line.decode(errors="replace").rstrip())


def journal_command(unit: str | None, since: str) -> list[str]:
    """Return the journalctl command for our units, or one of them."""
    units = [unit] if unit else list(UNITS)
    return [
        "journalctl",
        "--no-pager",
        "--output",
        "short-iso",
        "--since",
        since,
        *(f"--unit={name}" for name in units),
    ]
