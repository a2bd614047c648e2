"""`fab audit`: a host's health, observed in one go and judged row by row."""

from datetime import UTC, datetime
from pathlib import Path

from invoke.context import Context
from invoke.exceptions import Exit

from provision import thresholds
from provision.audit import gather, judge, page, report
from provision.audit.gather import Place
from provision.commands.admission import HELD
from provision.commands.options import JSON, ONE_HOST, require_place, task
from provision.errors import CommandError
from provision.progress import Progress, print_json
from provision.reach import access
from provision.release.wheels import cache
from provision.target import load_target
from wire import settings_file


@task(
    help={**ONE_HOST, **JSON, "html": "also write it as one page to this file, to archive or to print"},
    example="fab audit --stack prod --html audit.html",
)
def audit(
    _context: Context, *, json: bool = False, html: str = "", stack: str | None = None, host: str | None = None
) -> None:
    """Check a host's health: box, services, queue, sync, secrets, firewall, logs; each with a verdict and a cure.

    Ends with the worst: 0 all is well, 2 look at something, 3 something could not be observed, 4 bad; 1 where no audit
    could be made. A good word rests on what was just seen, never on what could not be seen. The thresholds are the
    settings' section [audit]. It changes nothing.
    """
    require_place("--html", html)
    progress = Progress(aside=True)
    target = load_target(stack)
    held = cache() / HELD
    place = Place(target.name, target.inventory, access.client(target.inventory), target.source, held)
    with target.connected(host, progress) as box:
        seen = gather.observe(box, place, progress, datetime.now(UTC))
    rows = judge.judge(seen, settings_file.load(target.source.file, "audit", thresholds.read))
    if html:
        _write(Path(html), page.html(seen, rows))
    if json:
        print_json(report.as_data(seen, rows))
    else:
        for line, style in report.lines(seen, rows):
            progress.say(line, style)
    if code := judge.worst(rows).code:
        raise Exit(code=code)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CommandError(
            f"{path} can't be written: {error.strerror}", "give --html a file in a folder of yours"
        ) from error
