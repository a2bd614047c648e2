"""`fab sync-source`: the booking system's first records, as they would land in the sheet."""

from invoke.context import Context

from provision.commands.options import JSON, ONE_HOST, task, whole
from provision.commands.secrets import held
from provision.errors import CommandError
from provision.progress import Progress
from provision.reach.connection import RemoteCommandFailed
from provision.release.plan import HOME
from provision.system.sync import command
from provision.target import load_target

_COUNT = (1, 100)


@task(
    help={**ONE_HOST, **JSON, "count": "how many records to show"},
    example="fab sync-source --stack prod --count 3",
)
def sync_source(
    _context: Context, count: str = "5", *, json: bool = False, stack: str | None = None, host: str | None = None
) -> None:
    """Show the booking system's first records as they would land, by the settings as they are here; writes nothing."""
    words = ["--first", str(whole("--count", count, _COUNT)), *(["--json"] if json else [])]
    progress = Progress(aside=json)
    target = load_target(stack)
    with target.connected(host, progress) as box:
        try:
            for line in box.lines(command(f"{HOME}/current", held(box), *words), target.source.file.read_bytes()):
                progress.say(line.decode(errors="replace").rstrip())
        except RemoteCommandFailed as error:
            raise CommandError(
                f"{box.name}: not every record would land: {error.said}",
                "correct [sync.source] and [sync.fields]: docs/bookings.md shows how",
            ) from error
