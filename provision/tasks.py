"""What `fab --list` lists. Each task reads as its steps; the steps are in the modules beside this one."""

import os
import subprocess
import time
from functools import partial
from pathlib import Path

from invoke.collection import Collection
from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import task as plain_task

from provision import queue, secrets, stage, status, tunnel, verify
from provision.keyfiles import materialised
from provision.progress import Progress
from provision.release import deploy as deployment
from provision.release import plan as planning

task = partial(plain_task, auto_shortflags=False)
"""Long options only: `-a` for --stack would be guesswork."""
WHERE = queue.WHERE
EACH = {**WHERE, "host": "the host by its instance's name; all of them otherwise"}


@task(help=EACH)
def plan(_context: Context, stack: str | None = None, host: str | None = None) -> None:
    """Say what `fab deploy` would change, and change nothing."""
    progress = Progress()
    here = stage.load(stack)
    for each in here.hosts(host):
        with here.connected(each.name, progress) as box:
            deployment.prepare(box, here.source, progress)


@task(help=EACH)
def deploy(_context: Context, stack: str | None = None, host: str | None = None) -> None:
    """Make a host a worker: first its system, then this release; put the one before back if it fails."""
    progress = Progress()
    here = stage.load(stack)
    for each in here.hosts(host):
        began = time.monotonic()
        with here.connected(each.name, progress) as box:
            changed = deployment.deploy(box, here.source, progress)
        word = "deployed" if changed else "nothing changed, nothing restarted"
        progress.say(f"{each.name}: {word}  ({time.monotonic() - began:.1f} s)", "bold")


@task(name="secrets", help={**EACH, "from": "a folder whose files are named like the secrets"})
def keep_secrets(
    _context: Context, from_: str | None = None, stack: str | None = None, host: str | None = None
) -> None:
    """Give a host its secrets: from JADA_SECRET_<NAME>, from the files of a folder, or asked for unseen."""
    progress = Progress()
    here = stage.load(stack)
    given = secrets.gather(os.environ, Path(from_) if from_ else None)
    for each in here.hosts(host):
        with here.connected(each.name, progress) as box:
            given = secrets.completed(given, box)
            for line in secrets.told(secrets.send(box, given)):
                progress.say(f"{each.name}: {line}")


@task(name="verify", help=WHERE)
def prove(_context: Context, stack: str | None = None, host: str | None = None) -> None:
    """Prove that a host is as deployed: users, modes, units, cron, ports, sshd, journal, release, health."""
    here = stage.load(stack)
    with materialised(here.access(host, Progress(aside=True))) as keys:
        code = verify.run(keys, here.source.root)
    if code:
        raise Exit(f"{keys.name} is not as deployed; what was changed by hand comes back with `fab deploy`", code=1)


@task(name="status", help=WHERE)
def tell_status(_context: Context, stack: str | None = None, host: str | None = None) -> None:
    """Show a host's units and release, its queue, and its last sync."""
    progress = Progress(aside=True)
    here = stage.load(stack)
    with here.connected(host, progress) as box:
        for line in status.host_lines(planning.read(box.program("probe", planning.question()))):
            progress.say(line)
    with queue.queue(stack, host) as client:
        for line in status.queue_lines(list(client.tasks()), client.sync_runs()):
            progress.say(line)


@task(help={**WHERE, "port": "the port on this machine"})
def dashboard(_context: Context, port: int = 8765, stack: str | None = None, host: str | None = None) -> None:
    """Open a tunnel to a host's dashboard and print its address, until Ctrl-C."""
    progress = Progress(aside=True)
    here = stage.load(stack)
    with materialised(here.access(host, progress)) as keys, tunnel.opened(keys, here.source.queue, port=port) as opened:
        progress.say(f"{opened.url}  (Ctrl-C closes the tunnel)", "bold")
        try:
            opened.wait()
        except KeyboardInterrupt:
            progress.say("closed")


@task(help={**WHERE, "command": "what to run there; a shell otherwise"})
def ssh(_context: Context, command: str = "", stack: str | None = None, host: str | None = None) -> None:
    """Log in to a host with a temporary certificate."""
    here = stage.load(stack)
    with materialised(here.access(host, Progress(aside=True))) as keys:
        code = subprocess.run(keys.ssh("{host}", *([command] if command else [])), check=False).returncode
    if code:
        raise Exit(code=code)


@task(help={**WHERE, "unit": "one unit's lines alone", "since": "from when on, as journalctl takes it"})
def logs(
    _context: Context, unit: str | None = None, since: str = "-1h", stack: str | None = None, host: str | None = None
) -> None:
    """Print the journal of our units."""
    progress = Progress(aside=True)
    here = stage.load(stack)
    with here.connected(host, progress) as box:
        for line in box.lines(status.journal_command(unit, since)):
            progress.say(line.decode(errors="replace").rstrip())


namespace = Collection(
    plan, deploy, keep_secrets, prove, tell_status, dashboard, ssh, logs, queue.namespace
)  # fmt: skip
