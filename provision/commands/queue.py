"""The queue of a host as a command reaches it: through a tunnel, as the host's login user."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TypeVar

from provision.commands.options import HELP, operator
from provision.errors import CommandError
from provision.progress import Progress
from provision.reach.keyfiles import materialised
from provision.reach.tunnel import opened
from provision.target import Target, load_target
from wire.client import Client, RequestRefused, Unreachable
from wire.types import Problem

T = TypeVar("T")

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
    with _tunnelled(load_target(stack), host, Progress(aside=True)) as url:
        yield Client(url, operator=operator())


@contextmanager
def _tunnelled(target: Target, host: str | None, progress: Progress) -> Iterator[str]:
    access = target.access(host, progress)
    with answering(access.name), materialised(access) as keys, opened(keys, target.source.queue) as tunnel:
        yield tunnel.url


@contextmanager
def shared_queue(stack: str | None, host: str | None) -> Iterator[Client]:
    """Yield the client of the queue by the host that is named, else by the first one that answers: what several share
    any of them shows and takes. Says which, where that is not the first.
    """
    progress = Progress(aside=True)
    target = load_target(stack)
    names = [each.name for each in target.hosts(host)]
    with ExitStack() as kept:

        def reach(name: str) -> Client:
            with ExitStack() as tried:
                url = tried.enter_context(_tunnelled(target, name, progress))
                if len(names) > 1:
                    # Before anything is asked that must not be asked of two; one that hangs is asked once.
                    with answering(name):
                        Client(url, operator=operator(), retries=0).ready()
                kept.push(tried.pop_all())
            return Client(url, operator=operator())

        yield first_that_answers(names, reach, progress.note)


def first_that_answers(names: Sequence[str], reach: Callable[[str], T], note: Callable[[str], None]) -> T:
    """Return what the first host gives that can be reached; those before it are noted, with why. Raises `CommandError`
    where none can.
    """
    failed: list[tuple[str, CommandError]] = []
    for name in names:
        try:
            found = reach(name)
        except CommandError as error:
            failed.append((name, error))
            continue
        for other, why in failed:
            note(f"{other} is passed over ({why.cause}): {name} is asked")
        return found
    if len(failed) == 1:
        raise failed[0][1]
    said = "; ".join(f"{name}: {why.cause}" for name, why in failed)
    raise CommandError(f"no host answers: {said}", failed[0][1].cure)


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
    cure = CURES.get(problem.status, HELP)
    if detail.startswith("no token "):
        cure = "`fab token.list` has the ids"
    return CommandError(f"the queue refused: {said}", cure)
