"""`--door` of every command that acts on a host: this machine's address is let in for as long as the command runs."""

import functools
import inspect
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

from provision import stack_file
from provision.errors import CommandError
from provision.progress import Progress
from provision.reach import access, address, door, inventory
from provision.reach.firewall import Firewall
from provision.release.wheels import cache
from provision.target import ROOT

HELP = "let this machine's address (or the one given) in through the firewall while the command runs, and out after it"
HELD = "doors"
"""The folder of the cache that says which doors commands of this machine hold open."""


def acts_on_a_host(body: Callable[..., Any]) -> bool:
    """Whether a command has the options that say where it acts."""
    names = inspect.signature(body).parameters
    return "stack" in names and "host" in names


def with_door(body: Callable[..., None]) -> Callable[..., None]:
    """Return a command with the option --door, which opens the way for the command and closes it after."""

    @functools.wraps(body)
    def run(*given: Any, door: str | Literal[True] | None = None, **named: Any) -> None:
        if door is None:
            body(*given, **named)
            return
        with admitted(named.get("stack"), named.get("host"), door, Progress(aside=True).note):
            body(*given, **named)

    own = inspect.signature(body)
    option = inspect.Parameter("door", inspect.Parameter.KEYWORD_ONLY, default=None)
    run.__signature__ = own.replace(parameters=[*own.parameters.values(), option])  # type: ignore[attr-defined]
    return run


@contextmanager
def admitted(
    stack: str | None, host: str | None, given: str | Literal[True], note: Callable[[str], None]
) -> Iterator[None]:
    """Let this machine in to the hosts of a stack for the block's duration; `given` is its address, or true."""
    found = read_inventory(stack)
    chosen = inventory.choose(found, host)
    allowed = operator_cidrs(found)
    local = found.endpoint is not None
    mine = address.given(given, public=not local) if isinstance(given, str) else own_address(stack, found)
    with door.opened([firewall(found, each.name) for each in chosen], mine, allowed, cache() / HELD, note):
        yield


def read_inventory(stack: str | None) -> inventory.Inventory:
    """Return the hosts of the stack that is meant."""
    return inventory.read(inventory.stack_name(stack, os.environ), ROOT, os.environ)


def firewall(found: inventory.Inventory, instance: str) -> Firewall:
    """Return the firewall of an instance."""
    return Firewall(access.client(found), instance, time.sleep)


def own_address(stack: str | None, found: inventory.Inventory) -> str:
    """Return as which address this machine is seen by a stack's hosts."""
    loaded = stack_file.load(ROOT / f"jada.{inventory.stack_name(stack, os.environ)}.toml")
    host = inventory.single(found, None)
    return address.own(host.address, loaded.deploy.address_service, local=found.endpoint is not None)


def operator_cidrs(found: inventory.Inventory) -> tuple[str, ...]:
    """Return who may stay in the firewall; raises `CommandError` where the stack does not say it yet."""
    if found.operator_cidrs is None:
        raise CommandError("the stack does not say yet which addresses are the operators'", "run `pulumi up` once")
    return found.operator_cidrs
