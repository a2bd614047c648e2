"""`python -m agent.fitness SETTINGS STATE`: whether this host can work at all, as a session would: key, price, room,
sandbox, and the model as the API knows it. Prints what is wrong and exits 1; prints nothing and exits 0 otherwise.

The daemon has it looked at before the first claim and after each fault that would meet every task, so that no task pays
for what is not its own. A process of its own: the daemon has no use for the sandbox.
"""

import math
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import urllib3

from agent.record import price_file
from agent.record.host_wide import HOST_WIDE
from agent.sandbox.egress.proxy import Proxy, rules
from agent.sandbox.run import Sandbox, SandboxUnavailable
from agent.sandbox.waiting import Job
from agent.settings import Settings
from agent.settings_file import installed
from wire.secret import Secret
from wire.terminal import printable
from wire.values import Invalid

LEAST_FREE = 64 * 1024 * 1024
"""Bytes that a session's journal and workspace need at least."""
_VERSION = "2023-06-01"
"""The API's version in which `GET /v1/models/{id}` is documented (docs.anthropic.com, API versioning)."""


def unfit(settings: Settings, credentials: Path, state: Path) -> str | None:
    """Return what is wrong with the host and what cures it, None when nothing was found. An API that can't be asked, or
    answers in a way that says nothing about the model, is left to the sessions.
    """
    return next(_faults(settings, credentials, state), None)


def _faults(settings: Settings, credentials: Path, state: Path) -> Iterator[str]:
    free = os.statvfs(state)
    if free.f_bavail * free.f_frsize < LEAST_FREE:
        yield f"less than {LEAST_FREE >> 20} MB are free for {state}: make room on the host"
    try:
        price_file.load(Path(settings.prices) if settings.prices else None, settings.model)
    except Invalid as error:
        yield str(error)
    if settings.reference and not Path(settings.reference).is_dir():
        yield f"agent.reference: {settings.reference} is no folder on this host: put it there, or leave the key out"
    yield from _sandbox(settings, credentials, state)
    try:
        key = Secret((credentials / "anthropic_api_key").read_text("utf-8").strip())
    except OSError:
        yield "there is no key for Claude's API: put one in place with `fab secrets`"
    else:
        yield from _api(settings, key)


def _sandbox(settings: Settings, credentials: Path, state: Path) -> Iterator[str]:
    workspace = state / "fitness"
    try:
        workspace.mkdir(mode=0o700, exist_ok=True)
        wanted = rules(settings)
        proxy = Proxy(wanted, {**os.environ, "CREDENTIALS_DIRECTORY": str(credentials)}) if wanted else None
        sandbox = Sandbox(workspace, settings.tools, time.monotonic, lambda: math.inf, proxy=proxy)
        if proxy:
            # A session finds out only when a call first goes out, turns later.
            sandbox.run(Job(["/bin/true"], network=True))
            proxy.close()
    except (SandboxUnavailable, OSError) as error:
        yield str(error)


def _api(settings: Settings, key: Secret) -> Iterator[str]:
    headers = {"x-api-key": key.reveal(), "anthropic-version": _VERSION}
    url = f"{settings.claude_url.rstrip('/')}/v1/models/{settings.model}"
    try:
        answer = urllib3.request("GET", url, headers=headers, timeout=4, retries=False)
    except urllib3.exceptions.HTTPError:
        return
    said = _message(answer)
    # A gateway may have no such route: only a 404 that names the model is about the model.
    if answer.status in (401, 402, 403) or (answer.status == 404 and settings.model in said):
        yield f"{said}. {HOST_WIDE[answer.status]}"


def main(arguments: list[str]) -> int:
    """Look, and say what was found."""
    settings, state = (Path(argument) for argument in arguments)
    found = unfit(installed(settings), Path(os.environ.get("CREDENTIALS_DIRECTORY", "/nonexistent")), state)
    sys.stdout.write(printable(found or ""))
    return 1 if found else 0


def _message(answer: urllib3.BaseHTTPResponse) -> str:
    """Return the API's own words of an error; nothing of an answer that is none of the API's."""
    try:
        return str(answer.json()["error"]["message"])[:500]
    except (ValueError, KeyError, TypeError):
        return f"the API answers {answer.status}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
