"""`fab notify`: a test to every notification target of a host."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from invoke.context import Context
from invoke.exceptions import Exit

from provision.commands.options import EACH_HOST, task
from provision.commands.secrets import held
from provision.desired import HOME
from provision.errors import CommandError
from provision.progress import Progress
from provision.reach.connection import Host
from provision.system.notify import TARGETS, command
from provision.target import load_target


@task(help=EACH_HOST, example="fab notify --stack prod")
def notify(_context: Context, stack: str | None = None, host: str | None = None) -> None:
    """Send a test to every notification target, and say what the other side answered."""
    progress = Progress()
    target = load_target(stack)
    failed = []
    for each in target.hosts(host):
        with target.connected(each.name, progress) as box:
            results = send_tests(box)
        for line in result_lines(results, target.source.targets):
            progress.say(f"{each.name}: {line}")
        if not all_delivered(results, target.source.targets):
            failed.append(each.name)
    if failed:
        raise Exit(f"not every target of {', '.join(failed)} took the test; nothing is sent to those", code=1)


def send_tests(box: Host) -> list[Mapping[str, Any]]:
    """Send the tests from a host; return each target's result. Raises `CommandError`."""
    if TARGETS not in held(box):
        raise CommandError(f"{box.name} has no {TARGETS}", "give it lines of `name = URL` with `fab secrets`")
    results: list[Mapping[str, Any]] = []
    try:
        results.extend(json.loads(line) for line in box.lines(command(f"{HOME}/current")))
    except CommandError:
        # It ends with 1 when no target took the test: the results say why.
        if not results:
            raise
    return results


def result_lines(results: Sequence[Mapping[str, Any]], targets: Sequence[str]) -> Iterator[str]:
    """Say each target's answer, and what the settings and the secret do not have in common."""
    for result in results:
        unused = (
            "" if result["target"] in targets else "; not in dashboard.notify.targets, so nothing else is sent to it"
        )
        yield f"{result['target']}: {result['answer']}{unused}"
    known = [result["target"] for result in results]
    for name in targets:
        if name not in known:
            yield f"{name}: has no line in the secret {TARGETS}"


def all_delivered(results: Sequence[Mapping[str, Any]], targets: Sequence[str]) -> bool:
    """Whether every target of the secret and of the settings took the test."""
    took = {result["target"] for result in results if result["delivered"]}
    return bool(took) and took == {*targets, *(result["target"] for result in results)}
