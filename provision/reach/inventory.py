"""Which hosts a stack has: infra's output `inventory`, read from Pulumi's state and checked against the stack's name.

The output is {"region", "endpoint" or null, "bundle", "operator_cidrs", "hosts": [{"name", "username", "address",
"private_address"}]}.
"""

import ipaddress
import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from msgspec import Meta

from provision.early import EARLY, WORDS, lost_state
from provision.errors import CommandError
from wire.values import Invalid, Value, decode

LOCAL = "local"
"""The one stack that lives on this machine, and the only one that need not be named."""
ENDPOINT_VARIABLES = tuple(f"AWS_ENDPOINT_URL{service}" for service in ("", "_LIGHTSAIL", "_DYNAMODB", "_IAM"))


class Host(Value, frozen=True, kw_only=True):
    """A host as infra made it: the instance's name, its login user, and its public and private IPv4 address."""

    name: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*\Z", description="an instance's name")]
    username: str
    address: str
    private_address: str

    @property
    def calls_itself(self) -> str:
        """The name that a host has itself, which Lightsail makes of its private address: the page and the queue have
        that one.
        """
        return f"ip-{self.private_address.replace('.', '-')}"


class Table(Value, frozen=True, kw_only=True):
    """The queue's table in DynamoDB, and the user whose key the hosts have; or, on stack local, the `endpoint` of the
    DynamoDB Local that has it, where any key will do.
    """

    name: str
    user: str | None = None
    endpoint: str | None = None


class Inventory(Value, frozen=True, kw_only=True):
    """A stack's hosts, and where its Lightsail API is: `endpoint` is null for AWS's own.

    `bundle`, the plan, and `operator_cidrs`, who may reach SSH, are absent where an earlier release ran `pulumi up`.
    """

    region: str
    endpoint: str | None = None
    bundle: str | None = None
    operator_cidrs: tuple[str, ...] | None = None
    hosts: tuple[Host, ...] = ()
    table: Table | None = None

    @property
    def table_place(self) -> str:
        """The table as the setting `dashboard.table` names it; empty where there is none."""
        return f"{self.table.endpoint or self.region}/{self.table.name}" if self.table else ""


class NothingMade(CommandError):
    """A stack whose state can be read, and in which nothing was made yet."""


def stack_name(given: str | None, environ: Mapping[str, str]) -> str:
    """Return the stack to act on: the one given, else JADA_STACK, else local."""
    return given or environ.get("JADA_STACK") or LOCAL


STACK = "pulumi:pulumi:Stack"
"""The type of the resource whose outputs are a stack's own."""


def parse(exported: str) -> Inventory:
    """Read the JSON of `pulumi stack export`; raises `CommandError` when infra's output isn't in it."""
    resources = (json.loads(exported).get("deployment") or {}).get("resources") or ()
    data = next((each.get("outputs") or {} for each in resources if each["type"] == STACK), {})
    if "inventory" not in data:
        raise NothingMade("the stack has no output `inventory`: nothing was made yet", "run `pulumi up` first")
    try:
        return decode(Inventory, data["inventory"], "inventory")
    except Invalid as error:
        raise CommandError(
            f"the stack's output is not what provision reads: {error}", "run `pulumi up` again"
        ) from error


UNREADABLE = ("credential", "expiredtoken", "accessdenied", "access denied", "sso token", "sso session", "login first")
"""What Pulumi's words contain when the bucket of its state does not let it in."""


def read(stack: str, root: Path, environ: Mapping[str, str]) -> Inventory:
    """Ask Pulumi for a stack's outputs and check that stack and cloud belong together."""
    require_state(stack, environ)
    require_settings_of_the_shells_site(stack, root, environ)
    inventory = parse(_pulumi((*WORDS, stack), stack, root, environ))
    require_matching_cloud(stack, inventory, environ)
    return inventory


def configured(stack: str, root: Path, environ: Mapping[str, str]) -> Mapping[str, Any]:
    """Ask Pulumi for a stack's settings: full key → value, as the file says it, for what nothing was made of yet."""
    require_state(stack, environ)
    found = json.loads(_pulumi(("config", "--json", "--stack", stack), stack, root, environ))
    return {key: entry.get("objectValue", entry.get("value")) for key, entry in found.items()}


def require_state(stack: str, environ: Mapping[str, str]) -> None:
    """Raise `CommandError` where the state is in a folder that is gone, as a shell's is after `make down`."""
    if folder := lost_state(environ):
        raise CommandError(f"the state of stack {stack} is gone: there is no {folder}", _how_to_have_outputs(stack))


def engine(root: Path, environ: Mapping[str, str]) -> str:
    """Return the version of Pulumi's engine; raises `CommandError`."""
    return _pulumi(("version",), stack_name(None, environ), root, environ).strip()


def _pulumi(words: Sequence[str], stack: str, root: Path, environ: Mapping[str, str]) -> str:
    try:
        done = EARLY.take(words, root, environ) or subprocess.run(
            ["pulumi", *words], cwd=root, env=dict(environ), capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        cure = (
            _how_to_have_outputs(stack) if stack == LOCAL else 'install it: README.md, "With an AWS account", says how'
        )
        raise CommandError("`pulumi` is not on PATH", cure) from None
    if done.returncode:
        raise no_outputs(stack, done.stderr)
    return done.stdout


def no_outputs(stack: str, said: str) -> CommandError:
    """Say why Pulumi gave no outputs: a state that can't be read is no stack that is not there."""
    error = (said.strip().splitlines() or ["no output"])[-1]
    if any(word in said.lower() for word in UNREADABLE):
        return CommandError(
            f"Pulumi can't read the state of stack {stack}: {error}",
            "log in to AWS (aws sso login, or another AWS_PROFILE) and to the state (pulumi login), then run again",
        )
    return CommandError(f"Pulumi has no outputs of stack {stack}: {error}", _how_to_have_outputs(stack))


def _how_to_have_outputs(stack: str) -> str:
    if stack == LOCAL:
        return 'bring it up with `make demo`; in this shell: eval "$(make env)"'
    return f"log in to its state (pulumi login), `pulumi up -s {stack}`, or name another with --stack"


def require_settings_of_the_shells_site(stack: str, root: Path, environ: Mapping[str, str]) -> None:
    """Raise `CommandError` where a shell of one local cloud stands in the folder with another one's settings: a deploy
    would send a host there.
    """
    ours, settings = environ.get("AWS_ENDPOINT_URL_LIGHTSAIL"), root / f"Pulumi.{LOCAL}.yaml"
    if stack == LOCAL and ours and settings.is_file() and ours not in settings.read_text(encoding="utf-8"):
        site = environ.get("JADA_SITE", "jada")
        raise CommandError(
            f"this shell acts on the local cloud at {ours}, but {settings} is of another one",
            f'go to the folder of its own: eval "$(make env JADA_SITE={site})"',
        )


def require_matching_cloud(stack: str, inventory: Inventory, environ: Mapping[str, str]) -> None:
    """Raise `CommandError` for a local stack that would reach AWS, or a real one that would reach this machine."""
    if stack == LOCAL:
        if not inventory.endpoint:
            raise CommandError(
                "stack local has no local endpoint: it would act on a real account", "run `pulumi up` again"
            )
        if not _on_this_machine(inventory.endpoint):
            raise CommandError(
                f"stack local's Lightsail API, {inventory.endpoint}, is not on this machine",
                "set jada:endpoint to the local cloud's in Pulumi.local.yaml, and run `pulumi up`",
            )
        if inventory.table and not _on_this_machine(inventory.table.endpoint or ""):
            raise CommandError(
                f"stack local's table, at {inventory.table.endpoint or 'AWS'}, is not on this machine",
                "set jada:table-endpoint to the local cloud's in Pulumi.local.yaml, and run `pulumi up`",
            )
        return
    if inventory.table and inventory.table.endpoint:
        raise CommandError(
            f"stack {stack} is a real one, but its table is at {inventory.table.endpoint}", "run `pulumi up`"
        )
    if inventory.endpoint:
        raise CommandError(
            f"stack {stack} is a real one, but its Lightsail API is the double at {inventory.endpoint}",
            "name the local stack with --stack local, or unset `endpoint` and run `pulumi up`",
        )
    for name in ENDPOINT_VARIABLES:
        if environ.get(name):
            raise CommandError(
                f"stack {stack} is a real one, but {name} leads elsewhere", f"unset {name} and run again"
            )


def _on_this_machine(url: str) -> bool:
    """Whether an address can only be the local cloud's: a literal one, loopback or private."""
    try:
        return ipaddress.ip_address(urlsplit(url).hostname or "").is_private
    except ValueError:
        return False


def require_one_queue(inventory: Inventory, table: str, file: str) -> None:
    """Raise `CommandError` where hosts would have a queue each, or a `file` of settings names another table than the
    stack's.
    """
    if len(inventory.hosts) > 1 and not table:
        names = ", ".join(host.name for host in inventory.hosts)
        raise CommandError(
            f"{names} would each have a queue, a page and limits of their own, and all write to one sheet",
            f"set jada:table, and dashboard.table in {file}; or name one host in jada:hosts, and run `pulumi up`",
        )
    if not table:
        return
    if inventory.table is None:
        raise CommandError(f"the stack made no table {table}", "set jada:table in its Pulumi file, and run `pulumi up`")
    made = inventory.table_place
    if table != made:
        raise CommandError(f"{file} names the table {table}; the stack's is {made}", f'set dashboard.table = "{made}"')


def choose(inventory: Inventory, name: str | None) -> tuple[Host, ...]:
    """Return the host of that name, or all of them; raises `CommandError` when there is none."""
    chosen = tuple(host for host in inventory.hosts if name in (None, host.name))
    if not chosen:
        known = ", ".join(host.name for host in inventory.hosts) or "none"
        raise CommandError(
            f"no host {name or ''} in this stack; it has {known}".replace("  ", " "), "give --host one of them"
        )
    return chosen


def single(inventory: Inventory, name: str | None) -> Host:
    """Return the one host that a command for a single host means: the named one, else the first."""
    return choose(inventory, name)[0]
