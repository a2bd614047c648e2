"""What all commands have in common: how they are declared, the options that say where they act, how text is read."""

import errno
import getpass
import os
import re
import socket
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import partial
from pathlib import Path
from typing import Any

from invoke.tasks import Task
from invoke.tasks import task as plain_task

from provision.commands.admission import HELP as DOOR
from provision.commands.admission import acts_on_a_host, with_door
from provision.errors import CommandError
from wire.times import stamp
from wire.types import Invite
from wire.values import Invalid, decode

ONE_HOST = {
    "stack": "the stack to act on; JADA_STACK otherwise, and local when neither says one",
    "host": "the host by its instance's name; the first one otherwise",
}
ANY_HOST = {**ONE_HOST, "host": "the host by its instance's name; the first one that answers otherwise"}
EACH_HOST = {**ONE_HOST, "host": "the host by its instance's name; all of them otherwise"}
JSON = {"json": "print JSON for a program instead of lines for a reader"}
HELP = "`fab help COMMAND` says what each option takes"
"""The cure that a refusal of the queue has, where it does not know which command asked."""
FORWARDED = (1, 65535)
"""The ports that there are."""


class Command(Task):  # type: ignore[type-arg] # what a command returns is not read
    """A task of Invoke's with a line that a reader can type: `example`; one that acts on a host takes --door."""

    def __init__(self, body: Callable[..., None], *, example: str, by_door: bool = True, **given: Any) -> None:
        if by_door and acts_on_a_host(body):
            body = with_door(body)
            given["optional"] = ["door"]
            given["help"] = {**given.get("help", {}), "door": DOOR}
        super().__init__(body, **given)
        self.example = example

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run it; who is told to ask for help is told by which name."""
        try:
            return super().__call__(*args, **kwargs)
        except CommandError as error:
            if error.cure != HELP:
                raise
            raise CommandError(error.cause, HELP.replace("COMMAND", self.example.split()[1])) from error


task = partial(plain_task, klass=Command, auto_shortflags=False)
"""Long options only: `-a` for --stack would be guesswork. A number is declared as a text and read by `whole` or
`micros`: Invoke converts with int() and shows a traceback for what is none.
"""


def whole(option: str, text: str, bounds: tuple[int, int]) -> int:
    """Read an option that is a whole number; raises `CommandError` with the option's name and bounds."""
    low, high = bounds
    # Not isdigit(): "²" is a digit, and int() refuses it.
    if not text.isascii() or not text.isdecimal() or not low <= int(text) <= high:
        raise CommandError(f"{option} {text}: not a whole number from {low} to {high}", f"give {option} such a number")
    return int(text)


def micros(option: str, text: str) -> int:
    """Read an option that is an amount in dollars, with or without its sign, as whole micro-dollars."""
    try:
        amount = Decimal(text.strip().removeprefix("$")) * 1_000_000
    except InvalidOperation:
        amount = Decimal("nan")
    if not amount.is_finite() or not 0 <= amount <= 1_000_000_000:
        raise CommandError(f"{option} {text}: not an amount from $0 to $1000", f"give dollars as in {option} 0.50")
    return round(amount)


def require_place(option: str, path: str | None) -> None:
    """Raise `CommandError` for a file that can't be written where it is to be, before minutes of work for it."""
    folder = Path(path or ".").absolute().parent
    if path and not os.access(folder, os.W_OK):
        why = "is not there" if not folder.exists() else "can't be written"
        raise CommandError(f"{option} {path}: the folder {folder} {why}", f"give {option} a file in a folder of yours")


TIME = "a time as 2026-05-13T22:00 here, with Z in UTC, or +30m, +2h, +1d from now"


def moment(option: str, text: str, now: datetime) -> str:
    """Read an option that is a time, as `TIME` says, and write it as the API has it; one without a zone is of here."""
    units = {"m": "minutes", "h": "hours", "d": "days"}
    try:
        if found := re.fullmatch(r"\+([0-9]{1,6})([mhd])", text):
            at = now + timedelta(**{units[found[2]]: int(found[1])})
        else:
            at = datetime.fromisoformat(text)
        return stamp(at)
    except (ValueError, OverflowError, OSError):
        raise CommandError(f"{option} {text}: not a time", f"give {TIME}") from None


def dollars(micros: int) -> str:
    """Say micro-dollars as dollars and cents; what is less than a cent is still said to be something."""
    return "<$0.01" if 0 < micros < 10_000 else f"${micros / 1_000_000:.2f}"


def operator(environ: Mapping[str, str] = os.environ) -> str:
    """Return who acts, as it is kept beside what they do: JADA_OPERATOR, or this machine's name of the user."""
    name = environ.get("JADA_OPERATOR") or _login()
    try:
        return decode(Invite, {"name": name}).name
    except Invalid as error:
        raise CommandError(f"JADA_OPERATOR {error.reason}", "say how you are called, as JADA_OPERATOR=anna") from error


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user without an entry in passwd, as in a container
        return f"user {os.getuid()}"


def require_free_port(option: str, port: int) -> None:
    """Raise `CommandError` when another program of this machine has the port: a browser would meet that program."""
    with socket.socket() as probe:
        # As ssh does: a port whose last connections are still being closed is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except PermissionError:
            raise CommandError(f"port {port} of this machine is root's", f"give {option} one from 1024 on") from None
        except OSError as error:
            why = "taken by another program" if error.errno == errno.EADDRINUSE else f"not usable: {error.strerror}"
            raise CommandError(f"port {port} of this machine is {why}", f"give {option} another one") from error
