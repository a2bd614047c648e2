"""`fab sync-source`, `sync-plan`, `sync-explain`: what the sync reads, would write, and has written."""

from collections.abc import Sequence

from invoke.context import Context

from provision.commands.options import JSON, ONE_HOST, task, whole
from provision.desired import HOME
from provision.errors import CommandError
from provision.progress import Progress
from provision.reach.connection import SILENT, RemoteCommandFailed
from provision.system.sync import command
from provision.target import load_target

_COUNT = (1, 100)
_ID = "the plan's name, as sync-plan printed it"


@task(
    help={**ONE_HOST, **JSON, "count": "how many records to show"},
    example="fab sync-source --stack prod --count 3",
)
def sync_source(
    _context: Context, count: str = "5", *, json: bool = False, stack: str | None = None, host: str | None = None
) -> None:
    """Show the booking system's first records as they would land, by the settings as they are here; writes nothing."""
    words = ["--first", str(whole("--count", count, _COUNT)), *(["--json"] if json else [])]
    _run(words, stack, host, "correct [sync.source] and [sync.fields]: docs/bookings.md shows how")


@task(help={**ONE_HOST, **JSON, "apply": _ID}, example="fab sync-plan --stack prod --apply 1f3a90c2b7de")
def sync_plan(
    _context: Context, *, apply: str = "", json: bool = False, stack: str | None = None, host: str | None = None
) -> None:
    """Print every cell that the sync would write, by the settings as they are here; or write exactly that."""
    words = [*(["--plan", apply] if apply else ["--dry-run"]), *(["--json"] if json else [])]
    _run(words, stack, host, "docs/google.md says what each name means")


@task(
    positional=["booking"],
    help={**ONE_HOST, **JSON, "booking": "its id"},
    example="fab sync-explain J00042 --stack prod",
)
def sync_explain(
    _context: Context, booking: str, *, json: bool = False, stack: str | None = None, host: str | None = None
) -> None:
    """Tell what happened to a booking in the sheet: added, changed, removed, what won and what lost."""
    _run(
        ["--explain", booking, *(["--json"] if json else [])],
        stack,
        host,
        "is the id right? Changes are kept since the sync first ran",
    )


def _run(words: Sequence[str], stack: str | None, host: str | None, cure: str) -> None:
    progress = Progress(aside=True)
    target = load_target(stack)
    with target.connected(host, progress) as box:
        try:
            for line in box.lines(command(f"{HOME}/current", *words), target.source.file.read_bytes()):
                progress.say(line.decode(errors="replace").rstrip())
        except RemoteCommandFailed as error:
            # What it printed is all that it had to say.
            said = "that is all that is known there" if error.said == SILENT else error.said
            raise CommandError(f"{box.name}: {said}", cure) from error
