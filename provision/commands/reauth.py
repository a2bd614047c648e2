"""`fab reauth`: the one command that lets the sync into the sheet again."""

import socket
import subprocess
import sys
import webbrowser
from collections.abc import Iterable

from invoke.context import Context
from invoke.exceptions import Exit

from provision.commands.options import ONE_HOST, task
from provision.commands.queue import queue_client
from provision.desired import HOME
from provision.errors import CommandError
from provision.progress import Progress
from provision.reach import programs
from provision.reach.keyfiles import KeyFiles, materialised
from provision.target import load_target
from wire.types import State, Task

SCRIPT = "/opt/jada-agent/scripts/auth_ga.py"
TOKEN_SECRET = "port_sheet_token.json"  # noqa: S105 - its name
ROOT_PYTHON = ("sudo", "-n", "python3", "-I", "-")
ALARMS = ("alarm:sync", "alarm:token")


@task(
    help={**ONE_HOST, "no-browser": "print the address, and open no browser"},
    example="fab reauth --stack prod",
)
def reauth(_context: Context, *, no_browser: bool = False, stack: str | None = None, host: str | None = None) -> None:
    """Have the sheet's account consent anew, prove the new token, run one sync, and see the alarm closed."""
    progress = Progress()
    target = load_target(stack)
    with materialised(target.access(host, progress)) as keys:
        code = _consent(keys, progress, browser=not no_browser)
        if not code:
            record(keys)
    if code:
        raise Exit(code=code)
    with queue_client(stack, host) as client:
        require_closed(client.tasks(State.NEEDS_YOU))
    progress.say("No alarm of the sync is open.")


def command(port: int) -> list[str]:
    """Return the command that asks for consent on the host, whose answer comes through the forwarded port."""
    options = ["--no-browser", "--end-with-input", "--port", str(port)]
    return ["sudo", "-n", f"{HOME}/current/venv/bin/python", SCRIPT, *options]


def forwarding(port: int) -> list[str]:
    """Return ssh's options: the browser's 127.0.0.1 is this machine's, and the same port there is the host's."""
    return ["-o", "ExitOnForwardFailure=yes", "-L", f"127.0.0.1:{port}:127.0.0.1:{port}"]


def require_closed(waiting: Iterable[Task]) -> None:
    """Raise `CommandError` for an open alarm about the sync."""
    for each in waiting:
        if each.waiting and each.dedupe_key in ALARMS:
            raise CommandError(
                f"the token is new, and yet an alarm is open: {each.waiting.text}",
                "mend what it names: the next run that succeeds closes it",
            )


def record(keys: KeyFiles) -> None:
    """Record the token on the host as it is now: otherwise it would look as if a hand had changed it. Raises
    `CommandError`.
    """
    accept = programs.call("found", {"rows": [["secret", TOKEN_SECRET]], "ours": []})
    done = subprocess.run(keys.ssh("{host}", *ROOT_PYTHON), input=accept, capture_output=True, check=False)
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip() or f"ssh ended with {done.returncode}"
        raise CommandError(
            f"{keys.name}: the token is new, but was not recorded as ours: {said}",
            f"`fab accept 'secret {TOKEN_SECRET}'` records it, and `fab status` says whether an alarm is open",
        )


def _consent(keys: KeyFiles, progress: Progress, *, browser: bool) -> int:
    """Run the consent on the host; its input stays open as long as we are here, so that it ends with us."""
    port = _free_port()
    words = keys.ssh(*forwarding(port), "{host}", *command(port))
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            for line in process.stdout or ():
                progress.say(line.rstrip())
                if browser and line.startswith("http") and _opened(line.strip()):
                    progress.note("(opened in your browser)")
        except BaseException:
            process.terminate()
            raise
    return process.returncode


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _opened(url: str) -> bool:
    try:
        return sys.stdin.isatty() and webbrowser.open(url)
    except webbrowser.Error:
        return False
