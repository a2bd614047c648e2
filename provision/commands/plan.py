"""`fab plan`: what a deploy would change."""

from typing import Any

from invoke.context import Context
from invoke.exceptions import Exit

from provision.commands.options import EACH_HOST, JSON, task
from provision.progress import Progress, print_json
from provision.reach.inventory import require_one_queue
from provision.release import deploy as deployment
from provision.release import plan as plans
from provision.target import load_target


@task(help={**EACH_HOST, **JSON}, example="fab plan --stack prod")
def plan(_context: Context, *, json: bool = False, stack: str | None = None, host: str | None = None) -> None:
    """Say what `fab deploy` would change, and change nothing; exit 1 where the deploy would be refused."""
    progress = Progress(aside=json)
    target = load_target(stack)
    require_one_queue(target.inventory, target.source.table, target.source.file.name)
    made: dict[str, plans.Plan] = {}
    for each in target.hosts(host):
        with target.connected(each.name, progress) as box:
            made[each.name] = deployment.prepare(box, target.source, progress).plan
        if not json:
            for line in deployment.plan_lines(made[each.name]):
                progress.say(f"    {line}")
    if json:
        print_json({"stack": target.name, "hosts": [as_data(name, found) for name, found in made.items()]})
    for name, found in made.items():
        if found.blocking:
            raise Exit(str(deployment.lacks_secrets(name, found)), code=1)


def as_data(name: str, found: plans.Plan) -> dict[str, Any]:
    """Return a host's plan for a program."""
    return {
        "host": name,
        "current": found.seen,
        "release": found.release,
        "nothing_to_do": found.nothing,
        "changes": [{"action": action, "what": what} for action, what in plans.changes(found)],
        "paused": found.paused,
        "missing_secrets": [secret.name for secret in found.missing],
        "deploy_refused_for": found.blocking,
    }
