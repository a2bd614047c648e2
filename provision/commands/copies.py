"""`fab queue.*`: copies of a host's whole queue, and one of them put back in its place."""

from collections.abc import Sequence

from invoke.collection import Collection
from invoke.context import Context

from provision.commands.options import JSON, ONE_HOST, task
from provision.commands.queue import queue_client
from provision.errors import CommandError
from provision.onhost.units import DASHBOARD
from provision.progress import Progress, print_json
from provision.reach.connection import Host, RemoteCommandFailed
from provision.target import load_target
from wire.types import Backup

AGENT = "jada-agent.service"
APP = "/opt/jada-agent/current"
RESTORE = (
    *("runuser", "--user", "jada-dashboard", "--", "env", f"--chdir={APP}/app"),
    *(f"{APP}/venv/bin/python", "-m", "dashboard.restore", "--state", "/var/lib/jada-dashboard"),
)
HELD = ("sh", "-c", "cd /var/lib/jada-dashboard/backups 2>/dev/null && ls || true")
"""Prints the names of the copies."""


@task(help={**ONE_HOST, **JSON}, example="fab queue.backup")
def backup(_context: Context, *, json: bool = False, stack: str | None = None, host: str | None = None) -> None:
    """Copy the whole queue on its host, beside the work, and check the copy."""
    with queue_client(stack, host) as client:
        made = client.back_up()
    print_json(made) if json else Progress().say(line(made))


@task(name="list", help={**ONE_HOST, **JSON}, example="fab queue.list")
def list_(_context: Context, *, json: bool = False, stack: str | None = None, host: str | None = None) -> None:
    """List the copies that a host holds, newest first."""
    with queue_client(stack, host) as client:
        held = client.backups()
    if json:
        print_json(held)
        return
    progress = Progress()
    for each in held:
        progress.say(line(each))
    if not held:
        progress.say("no backup is held: `fab queue.backup` makes one")


@task(
    help={**ONE_HOST, "backup": "the copy's name, as `fab queue.list` prints it; the newest without"},
    example="fab queue.restore --backup 20260513T030000Z.db",
)
def restore(_context: Context, backup: str | None = None, stack: str | None = None, host: str | None = None) -> None:
    """Put a copy in the place of the queue; what was there is kept beside it. What came after the copy is not in it."""
    progress = Progress()
    with load_target(stack).connected(host, progress) as box:
        # Before anything is stopped, and not by the queue itself, which may be what is broken.
        require_copy(box.name, backup, box.run(HELD).decode().split())
        with progress.step("stop the worker and the dashboard"):
            # The worker first: it waits for a dashboard that is away, and loses nothing.
            box.run(["systemctl", "stop", AGENT, DASHBOARD])
        try:
            with progress.step("put the copy in place"):
                said = box.run([*RESTORE, *(("--backup", backup) if backup else ())]).decode().strip()
        except RemoteCommandFailed as error:
            raise CommandError(
                f"{box.name}: {error.said}", "the queue is as it was; `fab queue.list` names the copies"
            ) from error
        finally:
            _start(box, progress)
    progress.say(f"{box.name}: {said}", "bold")


def require_copy(host: str, wanted: str | None, held: Sequence[str]) -> None:
    """Raise `CommandError` for a copy that a host does not hold, or where it holds none."""
    if not held:
        raise CommandError(f"{host} holds no copy of its queue", "`fab queue.backup` makes one")
    if wanted and wanted not in held:
        raise CommandError(f"{host} holds no copy {wanted}", f"it holds {', '.join(sorted(held, reverse=True))}")


def _start(box: Host, progress: Progress) -> None:
    with progress.step("start both again"):
        box.run(["systemctl", "reset-failed", AGENT, DASHBOARD])
        box.run(["systemctl", "start", DASHBOARD, AGENT])


def line(made: Backup) -> str:
    """Say a copy as one line."""
    return f"{made.name}  {made.size / 1_000_000:.1f} MB  made {made.made_at}"


namespace = Collection("queue", backup, list_, restore)
