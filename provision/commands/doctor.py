"""`fab doctor`: whether all that a worker stands on is there, looked at now, before anything is changed."""

import os
from contextlib import ExitStack

from invoke.context import Context
from invoke.exceptions import Exit

from provision.commands.diagnosis import Row, Verdict, as_data, diagnose, exit_code, lines, worst
from provision.commands.examination import Examination
from provision.commands.options import JSON, ONE_HOST, task
from provision.progress import Progress, print_json

STYLES = {Verdict.OK: "green", Verdict.NOT_CHECKED: "yellow", Verdict.FAULT: "red"}


@task(help={**ONE_HOST, **JSON}, example="fab doctor --stack prod")
def doctor(_context: Context, *, json: bool = False, stack: str | None = None, host: str | None = None) -> None:
    """Look at all that a worker stands on, before a change: each ok, a fault with its cure, or not checked and why.

    Settings, rights, address, host, secrets, both ends of the sync, those who are told. Exit 0 when all is ok, 1 for a
    fault, 2 where something could not be looked at.

    Nothing is changed; each notification target gets a test, the heartbeat's service a line in its log, and the sheet's
    tab is copied and the copy deleted in one call.
    """
    progress = Progress(aside=json)
    rows: list[Row] = []
    with ExitStack() as open_things:
        for row in diagnose(Examination(stack, host, os.environ, open_things).looks()):
            rows.append(row)
            for line in () if json else lines(row):
                progress.say(line, STYLES[row.verdict])
    if json:
        print_json({"verdict": worst(rows).value, "rows": as_data(rows)})
    if code := exit_code(rows):
        raise Exit(code=code)
