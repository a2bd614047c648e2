"""The queue of a host as a command reaches it: through a tunnel, as the host's login user."""

from collections.abc import Iterator
from contextlib import contextmanager

from provision.commands.options import operator
from provision.errors import CommandError
from provision.progress import Progress
from provision.reach.keyfiles import materialised
from provision.reach.tunnel import opened
from provision.target import load_target
from wire.client import Client, RequestRefused, Unreachable
from wire.types import Problem

OPTIONS = {
    "title": "--title", "description": "--description", "context": "--file", "priority": "--priority",
    "labels": "--label", "not_before": "--not-before",
    "sessions": "--sessions", "budget.sessions": "--sessions", "text": "--text",
    "usd_micros": "--dollars", "budget.usd_micros": "--dollars",
}  # fmt: skip
"""A field of the API → the option by which an operator gives it."""
CURES = {
    403: "`fab deploy` makes the host's login user an operator",
    404: "`fab task.list` has the ids",
    409: "`fab task.list` says how each task stands",
    503: "`fab logs --unit jada-dashboard` says since when",
    507: "make room on the host: `fab ssh --command 'df -h'`",
    412: "read the task again with `fab task.show`, then answer",
}


@contextmanager
def queue_client(stack: str | None, host: str | None) -> Iterator[Client]:
    """Yield the client of a host's queue; its refusals become ours, with a cure."""
    progress = Progress(aside=True)
    target = load_target(stack)
    access = target.access(host, progress)
    with answering(access.name), materialised(access) as keys, opened(keys, target.source.queue) as tunnel:
        yield Client(tunnel.url, operator=operator())


@contextmanager
def answering(name: str) -> Iterator[None]:
    """Say in the block what the queue of a host refuses, or that it is silent, as a `CommandError`."""
    try:
        yield
    except Unreachable as error:
        # The address in the error is the tunnel's: it means nothing to the operator.
        raise CommandError(
            f"{name}: its dashboard does not answer",
            "`fab logs --unit jada-dashboard` says why; a host of an earlier release needs `fab deploy` first",
        ) from error
    except RequestRefused as error:
        raise refusal(error.problem) from error


def refusal(problem: Problem) -> CommandError:
    """Say what the queue refused in the words of the command line."""
    option = OPTIONS.get(problem.field or "")
    detail = problem.detail.removeprefix(f"{problem.field}: ") if option else problem.detail
    said = f"{option}: {detail}" if option else detail or problem.title
    cure = CURES.get(problem.status, "`fab help COMMAND` says what each option takes")
    return CommandError(f"the queue refused: {said}", cure)
