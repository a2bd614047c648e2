"""`fab plan`: what a deploy would change."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from invoke.context import Context
from invoke.exceptions import Exit

from provision import desired
from provision.commands import fleet
from provision.commands.options import EACH_HOST, JSON, task
from provision.progress import Progress, print_json
from provision.reach.inventory import require_one_queue
from provision.release import deploy as deployment
from provision.release import plan as plans
from provision.target import load_target

CHANGES = 2
"""The exit code where a host is not as it should be, as of others' plans; 1 is an error."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A host's plan, and what it changes in texts."""

    plan: plans.Plan
    changes: deployment.Changes


@task(help={**EACH_HOST, **JSON}, example="fab plan --stack prod")
def plan(_context: Context, *, json: bool = False, stack: str | None = None, host: str | None = None) -> None:
    """Say what `fab deploy` would change, and change nothing.

    Exit 0 where nothing differs, 2 where something does, 1 where the deploy would be refused or a host can't be looked
    at. Texts are shown as diffs, without what looks like a secret.
    """
    progress = Progress(aside=json)
    target = load_target(stack)
    require_one_queue(target.inventory, target.source.table, target.source.file.name)
    names = [each.name for each in target.hosts(host)]
    builder = deployment.Builder(target.source)

    def look(name: str) -> Planned:
        shown = fleet.progress_of(name, names, progress)
        with target.connected(name, shown) as box:
            prepared = deployment.prepare(box, target.source, shown, builder)
            return Planned(prepared.plan, deployment.changed_texts(box, prepared))

    outcomes = fleet.on_each(names, look)
    if json:
        hosts = [as_data(each.host, each.value) if each.value else unseen(each) for each in outcomes]
        print_json({"stack": target.name, "hosts": hosts})
    else:
        for line in said(outcomes):
            progress.say(line)
    fleet.require_all(outcomes)
    for each in outcomes:
        if each.value and each.value.plan.blocking:
            raise Exit(str(deployment.lacks_secrets(each.host, each.value.plan)), code=1)
    if any(differs(each.value.plan) for each in outcomes if each.value):
        raise Exit(code=CHANGES)


def differs(found: plans.Plan) -> bool:
    """Whether a host is not as it should be, in what a deploy brings back or in what it does not."""
    return not found.nothing or bool(found.named)


def said(outcomes: list[fleet.Outcome]) -> Iterator[str]:
    """Say the plans of all hosts, and of several in a table how each is."""
    for each in outcomes:
        if each.value:
            yield from ([f"{each.host}:"] if len(outcomes) > 1 else [])
            yield from (f"    {line}" for line in host_lines(each.value))
    if len(outcomes) > 1:
        yield ""
        yield from fleet.table(outcomes, lambda planned: word(planned.plan))


def host_lines(planned: Planned) -> Iterator[str]:
    """Say a host's plan: what happens, and below it how texts change."""
    yield from deployment.plan_lines(planned.plan)
    yield from (f"code     {line}" for line in planned.changes.code)
    for diff in planned.changes.texts:
        yield from ("", *diff.lines)


def word(found: plans.Plan) -> str:
    """Say a plan in a few words."""
    if found.nothing:
        return f"nothing to do, {len(found.named)} differ" if found.named else "as it should be"
    return f"{len([*plans.changes(found)])} changes, {len(found.named)} that no deploy brings back"


def unseen(outcome: fleet.Outcome) -> dict[str, Any]:
    """Return, for a program, that a host was not looked at."""
    return {"host": outcome.host, "error": outcome.error.cause if outcome.error else fleet.NOT_BEGUN}


def as_data(name: str, planned: Planned) -> dict[str, Any]:
    """Return a host's plan for a program."""
    found = planned.plan
    return {
        "host": name,
        "current": found.seen,
        "release": found.release,
        "nothing_to_do": found.nothing,
        "older": found.older,
        "changes": [{"action": action, "what": what} for action, what in plans.changes(found)],
        "restarts": found.restart,
        "differs": [
            {"row": each.row.id, "seen": desired.seen_instead(each), "cure": each.row.cure} for each in found.named
        ],
        "diffs": [{"path": diff.path, "lines": diff.lines} for diff in planned.changes.texts],
        "code": planned.changes.code,
        "paused": found.paused,
        "missing_secrets": [secret.name for secret in found.missing],
        "deploy_refused_for": found.blocking,
    }
