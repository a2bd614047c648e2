"""The looks of `fab doctor`: each observes one thing that a worker stands on, now, and says what it saw."""

import ipaddress
import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from botocore.config import Config

from provision import placeholders, stack_file
from provision.commands import admission
from provision.commands.diagnosis import Look, NotChecked
from provision.commands.notify import all_delivered, result_lines, send_tests
from provision.commands.secrets import held
from provision.desired import HOME
from provision.errors import CommandError
from provision.reach import access, address, firewall, identity, inventory
from provision.reach.connection import Host, RemoteCommandFailed, connected
from provision.release import memory
from provision.system import notify as tests
from provision.system import sync as syncs
from provision.system.secrets import missing
from provision.target import ROOT

POLICY = ROOT / "docs" / "iam" / "operator.json"
NO_BOX = "there is no box yet: `pulumi up` makes it"
NO_RELEASE = "there is no release on the host yet: `fab deploy` brings it, then look again"
OLDER = "the host's release is older than this work tree and can't say: `fab deploy`, then look again"
UNKNOWN_WORDS = ("unrecognized arguments", "invalid choice")
"""What a program of an earlier release says of a word that it does not know."""
DOCUMENTATION = tuple(map(ipaddress.IPv4Network, ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24")))
"""Networks that RFC 5737 keeps for examples: no operator comes from there."""
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Examination:
    """The looks at one stack, in an order in which each finds what it needs; what they find on the way is kept here."""

    def __init__(
        self, stack: str | None, host: str | None, environ: Mapping[str, str], open_things: ExitStack, root: Path = ROOT
    ) -> None:
        self.stack, self._host, self._environ = inventory.stack_name(stack, environ), host, environ
        self._root, self._open = root, open_things
        self._file = root / f"jada.{self.stack}.toml"
        self._settings: stack_file.StackSettings | None = None
        self._inventory: inventory.Inventory | None = None
        self._config: Mapping[str, Any] = {}
        self._caller = ""
        self._box: Host | None = None
        self._held: tuple[str, ...] = ()

    def looks(self) -> tuple[Look, ...]:
        """Return what is looked at."""
        return (
            Look("settings", self.settings_file),
            Look("placeholders", self.placeholders, ("settings",)),
            Look("engine", self.engine),
            Look("state", self.state, ("engine",)),
            Look("identity", self.identity, ("state",)),
            Look("permissions", self.permissions, ("identity",)),
            Look("plan", self.plan, ("state",)),
            Look("instance", self.instance, ("state", "identity")),
            Look("address", self.address, ("settings", "state", "instance")),
            Look("login", self.login, ("instance", "address")),
            Look("secrets", self.secrets, ("login",)),
            Look("booking", self.booking, ("login",)),
            Look("sheet", self.sheet, ("login",)),
            Look("notifications", self.notifications, ("login",)),
            Look("heartbeat", self.heartbeat, ("login",)),
        )

    def settings_file(self) -> str:
        """Each section of the settings file is read by the part that it belongs to."""
        self._settings = stack_file.load(self._file)
        return f"{self._file.name}: each section was read by its part, and the model has a price"

    def placeholders(self) -> str:
        """No value of the example is left."""
        if left := placeholders.placeholders(self._file):
            raise CommandError(f"{self._file.name} still has an example's value: {'; '.join(left)}", "put in your own")
        return f"{self._file.name} has no value of the example"

    def engine(self) -> str:
        """Pulumi's engine starts."""
        return f"pulumi {inventory.engine(self._root, self._environ)}"

    def state(self) -> str:
        """Pulumi's state can be read, and belongs to the cloud that is meant."""
        try:
            self._inventory = inventory.read(self.stack, self._root, self._environ)
        except inventory.NothingMade:
            self._config = inventory.configured(self.stack, self._root, self._environ)
            return f"the state of stack {self.stack} was read; no box is in it yet"
        return (
            f"the state of stack {self.stack} was read; it has {', '.join(each.name for each in self._inventory.hosts)}"
        )

    def identity(self) -> str:
        """AWS knows this machine."""
        if self._is_local:
            raise NotChecked("the local cloud asks for no identity")
        self._caller = identity.arn(self._aws("sts"))
        return f"AWS knows this machine as {self._caller}"

    def permissions(self) -> str:
        """IAM's simulator allows what `pulumi up` and `fab` call."""
        if self._is_local:
            raise NotChecked("the local cloud has no permissions")
        actions = lightsail_actions(POLICY.read_text(encoding="utf-8"))
        try:
            lacking = identity.denied(
                self._aws("iam"), self._caller, actions, identity.context(self._region, self.stack)
            )
        except identity.CannotSimulate as why:
            raise NotChecked(str(why)) from why
        if lacking:
            raise CommandError(
                f"IAM denies {', '.join(lacking)}",
                "give it docs/iam/operator.json; a CI that only deploys has docs/iam/ci.json, and needs no more",
            )
        return f"IAM's simulator allows the {len(actions)} calls of docs/iam/operator.json"

    def plan(self) -> str:
        """The plan's memory holds each unit's limit."""
        bundle = self._inventory.bundle if self._inventory else self._config.get("jada:bundle", memory.DEFAULT_PLAN)
        if bundle is None:
            raise NotChecked("the stack does not say its plan yet: run `pulumi up` once")
        return memory.require_room(str(bundle), memory.limits())

    def instance(self) -> str:
        """Lightsail's instance runs and gives access."""
        host = self._chosen
        self._granted = access.obtain(access.client(self._found), host, access.utc_now())
        return f"{host.name} runs, and Lightsail gives access to it at {self._granted.address}"

    def address(self) -> str:
        """This machine's address is let in."""
        if self._inventory is None:
            return self._address_before_a_box()
        mine = self._own_address(self._chosen.address)
        state = admission.firewall(self._found, self._chosen.name).state()
        if not firewall.lets_in(state, mine):
            raise CommandError(
                f"this machine is seen as {mine}, which the firewall of {self._chosen.name} does not let in",
                "--door lets it in for one command; for good: jada:operator-cidrs, then `pulumi up`",
            )
        return f"this machine is seen as {mine}, which the firewall of {self._chosen.name} lets in"

    def login(self) -> str:
        """The host lets us in, and sudo asks for nothing."""
        if self._inventory is None:
            raise NotChecked(NO_BOX)
        self._box = self._open.enter_context(connected(self._granted, self._loaded.deploy.connect_s))
        name = self._box.run(["id", "-un"]).decode().strip()
        return (
            f"{self._box.name} let us in by certificate, under the host key that Lightsail saw, and sudo made us {name}"
        )

    def secrets(self) -> str:
        """The host has every secret that it needs."""
        self._held = held(self._on_host)
        if lacking := missing(self._held, self._loaded.off):
            named = "; ".join(f"{secret.name}, {secret.purpose}" for secret in lacking)
            raise CommandError(f"the host has no {named}", "`fab secrets` gives it")
        return f"the host has {', '.join(self._held)}"

    def booking(self) -> str:
        """The booking system's first record fits the sheet's columns."""
        said = self._synced("--first", "1", "--json", cure="`fab sync-source` shows more of it; docs/bookings.md")
        found = json.loads(said)
        if not found:
            raise NotChecked("the booking system answers, and has no record in the window")
        return f"the first booking was read and fits {len(found[0]['lands'])} columns"

    def sheet(self) -> str:
        """The sheet takes a write."""
        return self._synced("--writable", cure="docs/google.md says what each name means").strip()

    def notifications(self) -> str:
        """Each target took a test."""
        targets = self._loaded.targets
        if not targets:
            if self.stack != inventory.LOCAL and self._loaded.deploy.notify == "required":
                raise CommandError("nothing that waits would be sent to anyone", "set dashboard.notify.targets")
            raise NotChecked("no target is set (dashboard.notify.targets): what waits is on the page only")
        self._require_release()
        results = send_tests(self._on_host)
        said = "; ".join(result_lines(results, targets))
        if not all_delivered(results, targets):
            raise CommandError(
                f"not every target took its test: {said}", "correct its line in the secret notify_targets"
            )
        return f"each target took a test: {said}"

    def heartbeat(self) -> str:
        """The heartbeat's service takes calls."""
        if tests.HEARTBEAT not in self._held:
            raise NotChecked("no heartbeat_url is set: no message tells of a box that is dead altogether")
        self._require_release()
        said = json.loads(
            self._said(tests.heartbeat_command(f"{HOME}/current"), b"", "correct the secret heartbeat_url")
        )
        if not said["taken"]:
            raise CommandError(f"the heartbeat is not taken: {said['answer']}", "correct the secret heartbeat_url")
        return f"a call for its log, which is no beat: {said['answer']}"

    @property
    def _is_local(self) -> bool:
        return self.stack == inventory.LOCAL

    @property
    def _loaded(self) -> stack_file.StackSettings:
        if self._settings is None:
            raise NotChecked("the settings could not be read")
        return self._settings

    @property
    def _found(self) -> inventory.Inventory:
        if self._inventory is None:
            raise NotChecked(NO_BOX)
        return self._inventory

    @property
    def _chosen(self) -> inventory.Host:
        return inventory.single(self._found, self._host)

    @property
    def _on_host(self) -> Host:
        if self._box is None:
            raise NotChecked(NO_BOX)
        return self._box

    @property
    def _region(self) -> str:
        return self._inventory.region if self._inventory else str(self._config.get("jada:region", ""))

    def _aws(self, service: str) -> Any:
        config = Config(connect_timeout=5, read_timeout=10, retries={"max_attempts": 2})
        return access.service(service, self._region or None, config)

    def _own_address(self, host: str) -> str:
        service = self._loaded.deploy.address_service
        if not self._is_local and not service:
            raise NotChecked("as which address this machine is seen is not known: set deploy.address_service")
        return address.own(host, service, local=self._is_local)

    def _address_before_a_box(self) -> str:
        networks = operator_networks(self._config.get("jada:operator-cidrs") or [])
        if left := [str(each) for each in networks if is_documentation(each)]:
            raise CommandError(
                f"jada:operator-cidrs still has an example's value: {', '.join(left)}", "put in your own"
            )
        if self._is_local:
            raise NotChecked(NO_BOX)
        mine = self._own_address("")
        if not any(ipaddress.ip_address(mine) in each for each in networks):
            raise CommandError(
                f"this machine is seen as {mine}, which is not in jada:operator-cidrs", "add it, or use --door"
            )
        return f"this machine is seen as {mine}, which is in jada:operator-cidrs; there is no firewall yet"

    def _require_release(self) -> None:
        try:
            self._on_host.run(["test", "-x", f"{HOME}/current/venv/bin/python"])
        except RemoteCommandFailed as error:
            raise NotChecked(NO_RELEASE) from error

    def _synced(self, *words: str, cure: str) -> str:
        """Run the sync's program on the host by the settings as they are here."""
        self._require_release()
        if not placeholders.sync_is_on(self._file):
            raise NotChecked("the sync is not set up yet: sync.enabled = false")
        return self._said(syncs.command(f"{HOME}/current", *words), self._file.read_bytes(), cure)

    def _said(self, command: Sequence[str], stdin: bytes, cure: str) -> str:
        try:
            return self._on_host.run(command, stdin).decode()
        except RemoteCommandFailed as error:
            if any(words in error.said for words in UNKNOWN_WORDS):
                raise NotChecked(OLDER) from error
            raise CommandError(error.said, cure) from error


def lightsail_actions(policy: str) -> tuple[str, ...]:
    """Return the calls of Lightsail that a policy of docs/iam allows."""
    statements: Sequence[Mapping[str, Any]] = json.loads(policy)["Statement"]
    actions = [action for statement in statements for action in statement["Action"]]
    return tuple(sorted(action for action in actions if action.startswith("lightsail:")))


def operator_networks(given: Any) -> list[Network]:
    """Read jada:operator-cidrs as `pulumi up` does: a list, or the text of one. Raises `CommandError` for another."""
    cure = 'write it as ["203.0.113.0/24"]'
    try:
        texts = json.loads(given) if isinstance(given, str) else given
    except ValueError:
        texts = None
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise CommandError(f"jada:operator-cidrs: must be a list of texts, not {given!r}", cure)
    return [_network(text, cure) for text in texts]


def _network(text: str, cure: str) -> Network:
    try:
        return ipaddress.ip_network(text)
    except ValueError as error:
        raise CommandError(f"jada:operator-cidrs: {text!r} is no network address: {error}", cure) from None


def is_documentation(network: Network) -> bool:
    """Whether a network is one of those that are kept for examples."""
    return isinstance(network, ipaddress.IPv4Network) and any(network.subnet_of(each) for each in DOCUMENTATION)
