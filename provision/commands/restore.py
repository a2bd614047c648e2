"""`fab restore`: a backup's file put in the place of what a host holds; the host stays paused until it is told
otherwise.
"""

import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from invoke.context import Context

from provision.commands import sealed
from provision.commands.backup import PROGRAM
from provision.commands.options import ONE_HOST, task
from provision.commands.pause import pause_host
from provision.errors import CommandError
from provision.onhost.pauses import RESTORED
from provision.onhost.units import DASHBOARD
from provision.progress import Progress
from provision.reach.connection import Host, RemoteCommandFailed
from provision.system.secrets import SECRETS
from provision.target import load_target
from wire.archive import About

PLACE = ("systemd-run", "--quiet", "--pipe", "--wait", "--collect", "--unit=jada-restore")
"""In a unit of its own: a connection that breaks must not end it halfway. A second one is refused by the name."""


@task(
    help={
        **ONE_HOST,
        "file": "what `fab backup` wrote, or what the nightly backup sent",
        "identity": "the file with the secret key, as `fab backup-key` wrote it",
        "dry-run": "say what it holds and what it would replace, and change nothing",
    },
    example="fab restore jada-2026-05-13.age --identity jada-backup.key --stack prod --dry-run",
)
def restore(
    _context: Context,
    file: str,
    identity: str,
    *,
    dry_run: bool = False,
    stack: str | None = None,
    host: str | None = None,
) -> None:
    """Put a backup in the place of what a host holds; what is there is kept beside it. The host is paused, and stays
    so.

    The file is decrypted and read to its end here before anything is touched, and laid out whole on the host before
    anything is replaced. `fab resume` starts the host then; the host it came from must be paused, or gone: two would
    work on the same tasks.
    """
    progress, target, path = Progress(), load_target(stack), Path(file)
    key = sealed.read_key(Path(identity))
    with progress.counted(f"read {path} to its end") as count:
        about, parts = sealed.verify(path, key, count)
    with target.connected(host, progress) as box:
        held = look(box)
        for line in lines(about, parts, held, box.name):
            progress.say(f"    {line}")
        require_readable(about, held, box.name)
        if dry_run:
            progress.say(f"{box.name}: nothing was changed", "bold")
            return
        require_no_other_host(held, [each.name for each in target.inventory.hosts])
        _restore(box, path, key, progress, in_table=bool(held.get("table")))
        progress.say(f"{box.name}: the backup of {origin(about)} is in place; the host is paused", "bold")
        for line in next_lines(about, held.get("table", "")):
            progress.say(line)


def look(box: Host) -> dict[str, Any]:
    """Ask a host what it holds; raises `CommandError` where no release is that could tell."""
    try:
        found: dict[str, Any] = json.loads(box.run([*PROGRAM, "look"]))
    except RemoteCommandFailed as error:
        raise CommandError(
            f"{box.name} has no release that can restore a backup: {error.said}", "`fab deploy` brings one"
        ) from error
    return found


def lines(about: About, parts: Mapping[str, Mapping[str, int]], held: Mapping[str, Any], name: str) -> Iterator[str]:
    """Say what a backup is, and what it would replace."""
    state = "paused: nothing worked on it any more" if about.paused else "at work: what came after is not in it"
    yield f"backup of {origin(about)}, made {about.made_at}, {state}"
    yield f"made by release {about.release}, queue of schema {about.schema}"
    if about.table:
        yield f"its queue was in the table {about.table}: what is in the backup is a copy of that, as a file"
    for part in sorted({*parts, *held["parts"]}):
        there = held["parts"].get(part)
        instead = f"in place of {_amount(there)} on {name}" if there else f"onto {name}"
        yield f"{part:<10} {_amount(parts.get(part))}, {instead}"
    if table := held.get("table"):
        yield f"the queue of {name} is in the table {table}, which stays as it is: the backup's is a file"
    if held["unfinished"]:
        yield f"{name} holds half of an earlier restore, which was cut off: this one replaces it"


def origin(about: About) -> str:
    """Say of which host a backup is: by the name that operators know, where it has that."""
    return f"{about.called} ({about.host})" if about.called else about.host


def _amount(part: Mapping[str, int] | None) -> str:
    return f"{part['entries']} entries, {part['bytes'] / 1e6:.1f} MB" if part else "nothing"


def require_readable(about: About, held: Mapping[str, Any], name: str) -> None:
    """Raise `CommandError` for a backup whose queue the host's release does not know."""
    if about.schema > held["schema"]:
        raise CommandError(
            f"the backup is of a newer release ({about.release}): its queue has schema {about.schema}, and release "
            f"{held['release']} on {name} knows {held['schema']}",
            "deploy that release, or a later one, first",
        )


def require_no_other_host(held: Mapping[str, Any], names: Sequence[str]) -> None:
    """Raise `CommandError` where other hosts would go on with the table that this one's queue is taken out of."""
    if held.get("table") and len(names) > 1:
        raise CommandError(
            f"{', '.join(names)} share the queue in the table {held['table']}, and a backup's queue is one host's file",
            "leave one name in jada:hosts, and run `pulumi up`; to take back a mistake, restore the table to a moment",
        )


def next_lines(about: About, table: str = "") -> Iterator[str]:
    """Say what is to be done before the host works; its queue was in a `table`, if one is named."""
    if table:
        yield f"{table} still holds what was there; the settings must no longer name it:"
        yield '`table = ""` in [dashboard], then `fab deploy`: the queue is the file. Or into a new table: name it in'
        yield "jada:table, `pulumi up`, `fab table-key`, `fab move-queue --to table`, then as that says"
    if not about.paused:
        yield f"{origin(about)} was at work when the backup was made: see that it is paused, or gone, before you go on"
    yield "then `fab resume` starts the host; `fab status` says what it has"


def _restore(box: Host, path: Path, key: Any, progress: Progress, *, in_table: bool) -> None:
    pause_host(box, progress, RESTORED, f"restored from {path.name}")
    name = secrets.token_hex(8)
    with progress.counted(f"{box.name}: lay it out, apart from what is there") as count:
        box.feed([*PROGRAM, "receive", name], lambda out: sealed.decrypt(path, key, out, count))
    with progress.step("stop the queue"):
        box.run(["systemctl", "stop", DASHBOARD])
    with progress.step("put it in place, and keep what was there"):
        answer = box.run([*PLACE, *PROGRAM, "place", name])
        # The backup's secrets are right: otherwise they would look as if a hand had changed them.
        box.program("found", {"rows": [["secret", each] for each in SECRETS], "ours": []})
    if not in_table:
        # Else it would refuse: its settings name a table, and here is a file.
        with progress.step("start the queue, paused"):
            box.run(["systemctl", "reset-failed", DASHBOARD])
            box.run(["systemctl", "start", DASHBOARD])
    progress.say(f"    what was there is kept in {json.loads(answer)['kept']}")
