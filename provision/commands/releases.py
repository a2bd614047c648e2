"""`fab rollback`, `fab releases` and `fab history`: what is on a host, how it came there, and the way back."""

import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

from invoke.context import Context

from provision.commands.deploy import at_terminal, who
from provision.commands.options import JSON, ONE_HOST, task, whole
from provision.progress import Progress, print_json
from provision.release import deploy as deployment
from provision.release import installer, plan
from provision.release.installer import Errand
from provision.release.plan import Probed
from provision.target import load_target

TO = "the release to go back to, as `fab releases` names it; the last proven one before the current one otherwise"
LAST = (1, 50)


@task(help={**ONE_HOST, "to": TO}, example="fab rollback --stack prod")
def rollback(_context: Context, to: str | None = None, stack: str | None = None, host: str | None = None) -> None:
    """Make a release current that is still on a host; it is proven anew, as a deployed one is.

    Packages, users and sshd's settings stay as they are: the system is only ever brought forward.
    """
    progress = Progress()
    target = load_target(stack)
    began = time.monotonic()
    with target.connected(host, progress) as box:
        again = partial(target.connected, box.name, progress)
        errand = Errand(run=installer.new_run(), who=who(target.inventory), again=again, ask=at_terminal())
        word = deployment.roll_back(box, target.source, to, progress, errand)
        progress.say(f"{box.name}: {word}  ({time.monotonic() - began:.1f} s)", "bold")


@task(help={**ONE_HOST, **JSON}, example="fab releases --stack prod")
def releases(_context: Context, *, json: bool = False, stack: str | None = None, host: str | None = None) -> None:
    """List the releases on a host: which one is current, which are proven, which can't be gone back to."""
    progress = Progress(aside=True)
    target = load_target(stack)
    with target.connected(host, progress) as box:
        probed = plan.read_probe(box.program("probe", plan.probe_request()))
    if json:
        print_json({"host": box.name, "releases": list(release_rows(probed))})
        return
    for line in release_lines(probed):
        progress.say(line)


def release_rows(probed: Probed) -> Iterator[dict[str, Any]]:
    """Yield what there is to say of each release, the newest first."""
    damaged = plan.damaged_releases(probed)
    for name in probed.releases:
        yield {
            "release": name,
            "current": name == probed.current,
            "proven": name in probed.proven,
            "damage": damaged.get(name),
            "runs": [unit for unit, state in probed.units.items() if state.get("release") == name],
        }


def release_lines(probed: Probed) -> Iterator[str]:
    """Say each release in a line."""
    if not probed.releases:
        yield "no release yet: `fab deploy` brings one"
    for row in release_rows(probed):
        words = [
            *(["current"] if row["current"] else []),
            "proven" if row["proven"] else "not proven",
            *([f"can't be gone back to: {row['damage']}"] if row["damage"] else []),
            *([f"runs {', '.join(row['runs'])}"] if row["runs"] and not row["current"] else []),
        ]
        yield f"{row['release']}  {', '.join(words)}"


@task(
    help={**ONE_HOST, **JSON, "last": "so many deploys, from 1 to 50"},
    example="fab history --stack prod",
)
def history(
    _context: Context, *, last: str = "10", json: bool = False, stack: str | None = None, host: str | None = None
) -> None:
    """Show a host's deploys, the latest first: who began each, by which plan, and how it ended."""
    number = whole("--last", last, LAST)
    progress = Progress(aside=True)
    target = load_target(stack)
    with target.connected(host, progress) as box:
        deploys = box.program("history", {"last": number})
    if json:
        print_json({"host": box.name, "deploys": deploys})
        return
    if not deploys:
        progress.say("no deploy yet")
    for line in map(history_line, deploys):
        progress.say(line)


def history_line(deploy: Mapping[str, Any]) -> str:
    """Say a deploy in a line."""
    at = datetime.fromtimestamp(deploy["began"], UTC).strftime("%Y-%m-%d %H:%M:%S UTC") if deploy["began"] else "?"
    change = f"{deploy['before'] or 'nothing'} → {deploy['release']}"
    return f"{at}  {change}  plan {deploy['plan'] or '?'}  by {deploy['who'] or '?'}: {outcome(deploy)}"


def outcome(deploy: Mapping[str, Any]) -> str:
    """Say how a deploy ended, by its own last word."""
    said = deploy["outcome"] or {}
    if "proven" in said:
        return f"proven, but for {', '.join(said['paused'])}, which was paused" if said.get("paused") else "proven"
    if "finished" in said:
        return "done"
    for kind, words in (("failed", "failed"), ("reverted", "taken back")):
        if kind in said:
            return f"{words}: {str(said[kind]).splitlines()[0]}"
    if "superseded" in said:
        return "deployed, not watched to its proof"
    if "deployed" in said:
        return "deployed, being watched" if deploy["at_work"] else "deployed, without a last word"
    return "at work" if deploy["at_work"] else "without a last word"
