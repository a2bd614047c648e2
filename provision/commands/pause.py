"""`fab pause` and `fab resume`: a host that rests until it is told otherwise, through boots and deploys."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from invoke.context import Context

from provision.commands.options import EACH_HOST, operator, task
from provision.errors import CommandError
from provision.onhost.pauses import ALL, WORK
from provision.progress import Progress
from provision.reach.connection import Host
from provision.release.deploy import Source, health
from provision.release.plan import pause_lines
from provision.target import load_target
from wire.times import stamp


@task(
    help={
        **EACH_HOST,
        "why": "a word for who wonders later; the page shows it",
        "whole": "the queue, its page and the sender too: nothing can be added, and a backup made now is the last word",
    },
    example="fab pause --stack prod --why 'the box is replaced'",
)
def pause(
    _context: Context, *, why: str = "", whole: bool = False, stack: str | None = None, host: str | None = None
) -> None:
    """Let a host's worker and sync rest until `fab resume`: no deploy, boot or clock starts them.

    A session under way is drained: it goes on later where it was. The page stays, tasks can be added, and users are
    told of what waits.
    """
    progress, target = Progress(), load_target(stack)
    for each in target.hosts(host):
        with target.connected(each.name, progress) as box:
            paused = pause_host(box, progress, ALL if whole else WORK, why)
        for line in pause_lines(paused):
            progress.say(f"{each.name}: {line}", "bold")


@task(help=EACH_HOST, example="fab resume --stack prod")
def resume(_context: Context, stack: str | None = None, host: str | None = None) -> None:
    """Let a paused host work again; what does not stay up, or gets no answer of the queue, is paused again."""
    progress, target = Progress(), load_target(stack)
    for each in target.hosts(host):
        with target.connected(each.name, progress) as box:
            said = resume_host(box, target.source, progress)
        progress.say(f"{each.name}: {said}", "bold")


def pause_host(box: Host, progress: Progress, units: Sequence[str], why: str) -> dict[str, Any]:
    """Pause units and wait until they have ended; return all that are paused. Raises `CommandError`."""
    since = stamp(datetime.now(UTC))
    word = {"by": operator(), "since": since, "why": why}
    with progress.step(f"{box.name}: pause {', '.join(units)}, once what is under way is drained"):
        answer = box.program("pause", {"pause": list(units), "word": word})
    if answer["active"]:
        raise CommandError(
            f"{box.name}: {', '.join(answer['active'])} did not end; it is not started again once it has",
            "`fab status` says how it is; then pause once more",
        )
    paused: dict[str, Any] = answer["paused"]
    return paused


def resume_host(box: Host, source: Source, progress: Progress) -> str:
    """Let a host work again; return what was observed. Raises `CommandError`."""
    proof = health(source)
    asked = {"url": proof.url, "seconds": proof.steady_s, "limit": proof.seconds}
    with progress.step(f"{box.name}: start what is paused, and see that it holds for {proof.steady_s} s"):
        answer = box.program("pause", {"resume": asked})
    if "refused" in answer:
        raise CommandError(f"{box.name} stays paused: {answer['refused']}", "run `fab restore` again")
    if "failed" in answer:
        raise CommandError(f"{box.name} is paused again: {answer['failed']}", "mend that, then `fab resume`")
    started: Iterable[str] = answer["started"]
    return f"works again: {', '.join(started)} held for {proof.steady_s} s" if started else "no service was paused"
