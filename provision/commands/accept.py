"""`fab accept`: what a hand has changed on a host, and no deploy brings back, is right as it is."""

from invoke.context import Context

from provision import desired
from provision.commands.options import ONE_HOST, task
from provision.errors import CommandError
from provision.progress import Progress
from provision.reach.connection import Host
from provision.target import load_target


@task(positional=["row"], help={**ONE_HOST, "row": "a row as `fab plan` names it"}, example="fab accept 'area cron'")
def accept(_context: Context, row: str, stack: str | None = None, host: str | None = None) -> None:
    """Take a host's surroundings for right as they are now: `fab plan` and `fab verify` name them no more.

    For what was found when the host was deployed first, and was changed on purpose since: another cron line, one more
    key of a login user, a program that an administrator installed.
    """
    progress = Progress()
    target = load_target(stack)
    with target.connected(host, progress) as box:
        differed = take(box, row)
    for what, how in differed.items():
        progress.say(f"{box.name}: {what} {how}: taken for right")
    if not differed:
        progress.say(f"{box.name}: {row} is as it was found; nothing to accept")


def take(box: Host, row: str) -> dict[str, str]:
    """Record a row as it is now; return what differed. Raises `CommandError` for one that can't be accepted."""
    known = {each.id: each for each in desired.of_any_blueprint() if each.as_found}
    if row not in known:
        raise CommandError(
            f"{row!r} is no row that can be accepted; those are {', '.join(known)}",
            "`fab plan` names what differs; what a deploy brings back is not accepted but deployed",
        )
    asked = {"rows": [[known[row].look, known[row].name]], "ours": [*desired.ours()]}
    answer: dict[str, dict[str, str] | None] = box.program("found", asked)["accepted"]
    return answer.get(row) or {}
