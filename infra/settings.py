"""The stack's settings: what `Pulumi.<stack>.yaml` says under `jada:`, checked before any call.

Pulumi hands its configuration over as texts, lists and objects as JSON. A value that is missing, unknown or wrong is
`InvalidSetting`, with its key and what to write instead.
"""

import ipaddress
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

LOCAL = "local"
"""The one stack that lives on this machine."""
# botocore's service model of Lightsail, enum RegionName (1.44).
# fmt: off
REGIONS = (
    "us-east-1", "us-east-2", "us-west-1", "us-west-2", "eu-west-1", "eu-west-2", "eu-west-3", "eu-central-1",
    "eu-north-1", "eu-south-2", "ca-central-1", "ap-east-1", "ap-south-1", "ap-southeast-1", "ap-southeast-2",
    "ap-southeast-3", "ap-southeast-5", "ap-northeast-1", "ap-northeast-2", "sa-east-1",
)
# fmt: on
BLUEPRINTS = ("debian_12", "debian_13")
"""The images that `provision` has a row for."""
# The last digit differs by region: micro_3_0 in us-east-1, micro_3_1 in ap-south-1.
BUNDLE = r"(nano|micro|small|medium|large|xlarge|2xlarge)_3_[0-9]"
# The API's ResourceName, less the letters beyond ASCII that a host name can't hold.
HOST = r"[A-Za-z0-9][A-Za-z0-9-]{0,61}[A-Za-z0-9]"
# fmt: off
KEYS = (
    "region", "availability-zone", "blueprint", "bundle", "hosts", "ip-address-type", "operator-cidrs",
    "snapshot-time", "ssh-open-to-world", "static-ip", "table", "tags", "endpoint", "table-endpoint",
)
# fmt: on


class InvalidSetting(Exception):
    """A setting that can't be used; the message names its key and the cure."""

    def __init__(self, key: str, why: str) -> None:
        super().__init__(f"{key if ':' in key else f'jada:{key}'}: {why}")


@dataclass(frozen=True, slots=True)
class Settings:
    """What the program builds from. CIDRs are in their canonical form, sorted; `snapshot_time` is empty for no
    automatic snapshots, `endpoint` and `table_endpoint` None but for local.
    """

    stack: str
    region: str
    availability_zone: str
    blueprint: str
    bundle: str
    hosts: tuple[str, ...]
    ip_address_type: str
    operator_cidrs: tuple[str, ...]
    operator_ipv6_cidrs: tuple[str, ...]
    static_ip: bool
    snapshot_time: str
    tags: Mapping[str, str]
    endpoint: str | None
    table: str | None = None
    table_endpoint: str | None = None

    @property
    def protect(self) -> bool:
        """Whether Pulumi refuses to delete a host until it is unprotected; users have lost machines to an edit."""
        return self.stack != LOCAL


def read(stack: str, config: Mapping[str, str], environment: Mapping[str, str]) -> Settings:
    """Check a stack's whole configuration (full key → text) and what the environment adds; raises `InvalidSetting`."""
    given = _own_keys(config)
    endpoint = _endpoint(stack, given.get("endpoint"), environment)
    region = _choice("region", _required(given, "region", "the AWS region of the hosts, such as us-east-1"), REGIONS)
    ip_address_type = _choice("ip-address-type", given.get("ip-address-type", "ipv4"), ("ipv4", "dualstack"))
    v4, v6 = _operator_cidrs(given, ip_address_type)
    table = _table(given.get("table"))
    return Settings(
        stack=stack,
        region=region,
        availability_zone=_zone(given.get("availability-zone", f"{region}a"), region),
        blueprint=_choice("blueprint", given.get("blueprint", BLUEPRINTS[0]), BLUEPRINTS),
        bundle=_bundle(given.get("bundle", "micro_3_0")),
        hosts=_hosts(_texts("hosts", given.get("hosts", '["jada-orchestrator"]')), table),
        ip_address_type=ip_address_type,
        operator_cidrs=v4,
        operator_ipv6_cidrs=v6,
        # This machine's double keeps the record of a snapshot, not the disk.
        snapshot_time=_hour(given.get("snapshot-time", "none" if stack == LOCAL else "03:00")),
        static_ip=_flag("static-ip", given.get("static-ip", "true")),
        tags={"project": "jada", "stack": stack, **_tags(given.get("tags", "{}"))},
        endpoint=endpoint,
        table=table,
        table_endpoint=_table_endpoint(stack, table, given.get("table-endpoint")),
    )


def _own_keys(config: Mapping[str, str]) -> dict[str, str]:
    own = {}
    for full, value in config.items():
        namespace, _, key = full.partition(":")
        if namespace == "pulumi":
            continue
        if namespace != "jada":
            # The provider is made only from these settings: `aws:region` would look right and do nothing.
            raise InvalidSetting(full, "has no effect; only jada:* keys have")
        if key not in KEYS:
            raise InvalidSetting(key, f"there is no such setting; the settings are {', '.join(KEYS)}")
        own[key] = value
    return own


def _endpoint(stack: str, endpoint: str | None, environment: Mapping[str, str]) -> str | None:
    if stack == LOCAL:
        return _on_this_machine("endpoint", endpoint)
    if endpoint is not None:
        raise InvalidSetting(
            "endpoint", f"stack {stack!r} is a real one and talks to AWS itself; only 'local' may set this"
        )
    diverted = sorted(name for name in environment if name.startswith("AWS_ENDPOINT_URL"))
    if diverted:
        raise InvalidSetting(
            "endpoint", f"{diverted[0]} diverts AWS calls, and stack {stack!r} is a real one; use a shell without it"
        )
    return None


def _table_endpoint(stack: str, table: str | None, endpoint: str | None) -> str | None:
    """Where the table of stack local is; that stack may have the address without a table."""
    if stack != LOCAL:
        if endpoint is not None:
            raise InvalidSetting("table-endpoint", f"stack {stack!r} is a real one: its table is in AWS itself")
        return None
    return _on_this_machine("table-endpoint", endpoint) if table or endpoint else None


def _on_this_machine(key: str, endpoint: str | None) -> str:
    if endpoint is None:
        raise InvalidSetting(key, "stack 'local' never runs against AWS; set the address of this machine's cloud")
    url = urlsplit(endpoint)
    try:
        address = ipaddress.ip_address(url.hostname or "")
    except ValueError:
        address = None
    if url.scheme != "http" or address is None or not address.is_private:
        raise InvalidSetting(
            key, f"must be http:// and a private or loopback address, as http://10.77.0.1:8700, not {endpoint!r}"
        )
    return endpoint


def _operator_cidrs(given: Mapping[str, str], ip_address_type: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    key = "operator-cidrs"
    hint = 'the addresses that may reach SSH, such as ["203.0.113.7/32"]'
    open_to_world = _flag("ssh-open-to-world", given.get("ssh-open-to-world", "false"))
    networks = sorted({_cidr(text, open_to_world=open_to_world) for text in _texts(key, _required(given, key, hint))})
    v4 = tuple(text for version, text in networks if version == 4)
    v6 = tuple(text for version, text in networks if version == 6)
    if not v4:
        raise InvalidSetting(key, f"has no IPv4 address, and hosts are reached over IPv4: {hint}")
    # The IPv6 firewall is another one, and AWS leaves it open unless it is written out.
    if ip_address_type == "dualstack" and not v6:
        raise InvalidSetting(key, "has no IPv6 address, but jada:ip-address-type is dualstack: add one, or set ipv4")
    if ip_address_type == "ipv4" and v6:
        raise InvalidSetting(key, f"{v6[0]} is IPv6, but jada:ip-address-type is ipv4: remove it, or set dualstack")
    return v4, v6


def _cidr(text: str, *, open_to_world: bool) -> tuple[int, str]:
    try:
        network = ipaddress.ip_network(text)
    except ValueError as error:
        raise InvalidSetting(
            "operator-cidrs", f"{text!r} is no network address: {error}; write it as 203.0.113.0/24"
        ) from None
    if network.prefixlen == 0 and not open_to_world:
        raise InvalidSetting(
            "operator-cidrs", f"{text} opens SSH to the world; if you mean it, set jada:ssh-open-to-world"
        )
    return network.version, str(network)


def _zone(zone: str, region: str) -> str:
    if not re.fullmatch(re.escape(region) + "[a-f]", zone):
        raise InvalidSetting("availability-zone", f"must lie in jada:region, as {region}a, not {zone!r}")
    return zone


def _bundle(bundle: str) -> str:
    if not re.fullmatch(BUNDLE, bundle):
        raise InvalidSetting("bundle", f"must be a Linux plan such as micro_3_0 or small_3_0, not {bundle!r}")
    return bundle


def _hosts(names: tuple[str, ...], table: str | None) -> tuple[str, ...]:
    if not names:
        raise InvalidSetting("hosts", 'names no host; write at least one, as ["jada-orchestrator"]')
    for name in names:
        if not re.fullmatch(HOST, name):
            raise InvalidSetting("hosts", f"{name!r} is no host name: 2 to 63 letters, digits and inner hyphens")
        if names.count(name) > 1:
            raise InvalidSetting("hosts", f"{name!r} stands there twice")
        if f"{name}-ip" in names:
            # Lightsail keeps one list of names for hosts and addresses.
            raise InvalidSetting("hosts", f"'{name}-ip' is the name of {name}'s static IP; choose another")
    if len(names) > 1 and table is None:
        # Each would have its own queue, page and limits, and all would write to the one sheet.
        why = f"names {len(names)} hosts, which need a queue that they share: set jada:table too, or name one"
        raise InvalidSetting("hosts", why)
    return names


def _table(name: str | None) -> str | None:
    if name is None:
        return None
    if not re.fullmatch(r"[A-Za-z0-9_.-]{3,55}", name):
        raise InvalidSetting(
            "table", f"{name!r} is no name of a table: 3 to 55 letters, digits, dots, hyphens, underscores"
        )
    return name


def _hour(text: str) -> str:
    if text != "none" and not re.fullmatch(r"([01][0-9]|2[0-3]):00", text):
        raise InvalidSetting("snapshot-time", f'must be a whole hour in UTC as "03:00", or "none", not {text!r}')
    return "" if text == "none" else text


def _tags(text: str) -> dict[str, str]:
    tags = _json("tags", text, "an object of texts")
    if not isinstance(tags, dict) or not all(isinstance(value, str) for value in tags.values()):
        raise InvalidSetting("tags", f"must be an object of texts, not {text}")
    if own := sorted({"project", "stack"} & tags.keys()):
        # docs/iam binds whoever deploys to these two: another value would lock them out, or let others in.
        raise InvalidSetting(
            "tags", f"{own[0]!r} is set by jada itself, and the policies in docs/iam go by it: leave it out"
        )
    return tags


def _texts(key: str, text: str) -> tuple[str, ...]:
    items = _json(key, text, "a list of texts")
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        raise InvalidSetting(key, f"must be a list of texts, not {text}")
    return tuple(items)


def _json(key: str, text: str, kind: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise InvalidSetting(key, f"must be {kind}, not {text!r}") from None


def _flag(key: str, text: str) -> bool:
    return _choice(key, text, ("true", "false")) == "true"


def _choice(key: str, value: str, choices: tuple[str, ...]) -> str:
    if value not in choices:
        raise InvalidSetting(key, f"must be one of {', '.join(choices)}, not {value!r}")
    return value


def _required(given: Mapping[str, str], key: str, hint: str) -> str:
    if key not in given:
        raise InvalidSetting(key, f"is missing: {hint}")
    return given[key]
