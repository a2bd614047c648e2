"""`fab secrets`: from whom the secrets of a host come and how they get there. Values are never shown."""

import base64
import difflib
import getpass
import json
import os
import sys
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from invoke.context import Context

from notify.settings import TARGETS, read_targets
from provision.commands.options import EACH_HOST, task
from provision.errors import CommandError
from provision.progress import Progress
from provision.reach.connection import Host
from provision.system.secrets import FOLDER, SECRETS, HostSecret, missing
from provision.system.units import SERVICES
from provision.target import load_target
from wire.secret import Secret
from wire.values import Invalid


@task(
    help={**EACH_HOST, "from": "a folder whose files are named like the secrets"},
    example="fab secrets --stack prod --from ~/jada-secrets",
)
def secrets(_context: Context, from_: str | None = None, stack: str | None = None, host: str | None = None) -> None:
    """Give a host its secrets: from JADA_SECRET_<NAME>, a folder, or asked for unseen; exit 1 while one is missing."""
    progress = Progress()
    # First, because a wrong one needs no host to be refused.
    given = gather(os.environ, Path(from_) if from_ else None)
    target = load_target(stack)
    lacking, failed = [], {}
    for each in target.hosts(host):
        with target.connected(each.name, progress) as box:
            # Kept for the hosts that follow: the operator is asked once.
            given = with_prompted(given, box)
            answer = send(box, given)
        for line in report_lines(answer, target.source.off):
            progress.say(f"{each.name}: {line}")
        failed[each.name] = answer["failed"]
        lacking += [each.name] if missing(answer["held"], target.source.off) else []
    require_started(failed)
    if lacking:
        raise CommandError(
            f"{', '.join(lacking)}: not all secrets are there yet",
            "run it again with what is missing; docs/google.md says where Google's two come from",
        )


def require_started(failed: Mapping[str, Mapping[str, str]]) -> None:
    """Raise `CommandError` for services that did not start with a new secret; `failed` is why, by host and service."""
    said = [f"{host}: {why}" for host, units in failed.items() for why in units.values()]
    if said:
        raise CommandError(
            "\n".join(said),
            "the secrets are there as given: mend what the journal names, then `fab deploy` starts the service",
        )


def gather(environ: Mapping[str, str], folder: Path | None) -> dict[str, Secret]:
    """Take the secrets that the environment or the files of a folder give; raises `CommandError` for an empty one."""
    if folder is not None and not folder.is_dir():
        raise CommandError(f"{folder} is no folder", "give --from a folder whose files are named like the secrets")
    if folder is not None:
        require_known_files(folder)
    found: dict[str, Secret] = {}
    for name, secret in SECRETS.items():
        text = _text(folder / name) if folder is not None else None
        text = environ.get(secret.variable) if text is None else text
        if text is not None:
            found[name] = _checked(secret, text)
    return found


def _text(path: Path) -> str | None:
    """Read a secret's file; None where there is none."""
    try:
        # The mark with which Windows' editors begin a file would become a part of the secret.
        return path.read_text(encoding="utf-8-sig") if path.is_file() else None
    except OSError as error:
        raise CommandError(f"{path} can't be read: {error.strerror}", "give --from files that you may read") from error
    except UnicodeDecodeError:
        # Not chained: the error has the secret's bytes.
        raise CommandError(f"{path} is no text in UTF-8", "save it in that encoding") from None


def require_known_files(folder: Path) -> None:
    """Raise `CommandError` for a file that is no secret: a misspelt one would leave the host's as it was, silently."""
    try:
        names = sorted(path.name for path in folder.iterdir())
    except OSError as error:
        raise CommandError(
            f"{folder} can't be read: {error.strerror}", "give --from a folder that you may read"
        ) from error
    odd = [name for name in names if name not in SECRETS and not name.startswith(".")]
    if odd:
        near = [close for name in odd for close in difflib.get_close_matches(name, SECRETS, 1)]
        meant = f"; is {', '.join(near)} meant?" if near else ""
        raise CommandError(
            f"{folder} has what is no secret: {', '.join(odd)}{meant}", f"the names are {', '.join(SECRETS)}"
        )


def ask(names: Iterable[str], prompt: Callable[[str], str] = getpass.getpass) -> dict[str, Secret]:
    """Ask the operator for secrets, unseen; an empty answer leaves one out."""
    answers = {name: _answer(name, prompt) for name in names}
    return {name: _checked(SECRETS[name], text) for name, text in answers.items() if text.strip()}


def _answer(name: str, prompt: Callable[[str], str]) -> str:
    try:
        return prompt(f"{name} ({SECRETS[name].purpose}; Enter leaves it out): ")
    except EOFError:
        raise CommandError(f"{name} was not answered: the input ended", "run it again; Enter leaves one out") from None


def held(host: Host) -> tuple[str, ...]:
    """Return the names of the secrets that a host has."""
    return tuple(host.program("secret_store", {"folder": FOLDER})["held"])


def send(host: Host, secrets: Mapping[str, Secret]) -> dict[str, Any]:
    """Write secrets on a host, over the connection's stdin, and restart what holds a changed one.

    Returns {"changed": names, "held": names, "restarted": units, "failed": why by unit that did not start}.
    """
    order = {
        "folder": FOLDER,
        "secrets": {name: base64.b64encode(secret.reveal().encode()).decode() for name, secret in secrets.items()},
        # The sync is no service: it reads its secrets anew at each run.
        "readers": {name: [unit for unit in secret.readers if unit in SERVICES] for name, secret in SECRETS.items()},
    }
    answer: dict[str, Any] = host.program("secret_store", order)
    return answer


def with_prompted(given: Mapping[str, Secret], host: Host) -> dict[str, Secret]:
    """Ask for what neither was given nor is on the host, where there is a terminal to ask at."""
    there = {*given, *held(host)}
    lacking = [name for name in SECRETS if name not in there]
    return {**given, **(ask(lacking) if sys.stdin.isatty() else {})}


def report_lines(answer: Mapping[str, Any], off: Container[str] = ()) -> Iterator[str]:
    """Say what `send` came to, secret by secret: changed, kept, restarted, not started, and what is still missing."""
    if answer["changed"]:
        yield f"changed: {', '.join(answer['changed'])}"
    if kept := [name for name in answer["held"] if name not in answer["changed"]]:
        yield f"as before: {', '.join(kept)}"
    if answer["restarted"]:
        yield f"restarted, because they read them: {', '.join(answer['restarted'])}"
    # At once: the hosts that follow may not be reached, and then nothing else says it. Why comes at the end.
    if answer["failed"]:
        yield f"not started with them: {', '.join(answer['failed'])}"
    for secret in missing(answer["held"], off):
        yield f"missing: {secret.name}, {secret.purpose} ({secret.variable}, or a file of that name with --from)"


def _checked(secret: HostSecret, text: str) -> Secret:
    text, name, cure = text.strip(), secret.name, f"it is {secret.purpose}"
    if not text:
        raise CommandError(f"the secret {name} is empty", f"{cure}: give it, or leave it out")
    if name == TARGETS:
        try:
            read_targets(text)
        except Invalid as error:
            raise CommandError(f"the secret {error}", "docs/operating.md shows lines for the usual services") from None
    elif name.endswith(".json"):
        try:
            json.loads(text)
        except ValueError:
            # Not chained: the error's text would quote the secret.
            raise CommandError(f"the secret {name} is not valid JSON", f"{cure}; give the file as is") from None
    elif name == "backup_key":
        if not text.startswith("-----BEGIN OPENSSH PRIVATE KEY-----"):
            made = "`ssh-keygen -t ed25519 -N '' -f FILE` makes one"
            raise CommandError(f"the secret {name} is no private key of OpenSSH's", f"{cure}; {made}")
    elif "\n" in text:
        raise CommandError(f"the secret {name} has more than one line", f"{cure}: one line")
    return Secret(text + "\n")
