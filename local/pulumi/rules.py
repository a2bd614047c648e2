"""What the provider's resources take, and which change replaces them: pure, as the real provider's schema has it.

Properties are named as they cross the wire to the engine, in camelCase.
"""

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

Properties = Mapping[str, Any]


REGION = "region"
"""What every resource of v7 takes; left out, it is the provider's."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A type of resource; what isn't in `in_place` replaces when it changes.

    That a name is required is ours: the real provider makes one up.
    """

    required: frozenset[str]
    optional: frozenset[str] = frozenset({REGION})
    in_place: frozenset[str] = frozenset()


INSTANCE = "aws:lightsail/instance:Instance"
PORTS = "aws:lightsail/instancePublicPorts:InstancePublicPorts"
STATIC_IP = "aws:lightsail/staticIp:StaticIp"
ATTACHMENT = "aws:lightsail/staticIpAttachment:StaticIpAttachment"
TABLE = "aws:dynamodb/table:Table"
KINDS = {
    INSTANCE: Kind(
        required=frozenset({"name", "availabilityZone", "blueprintId", "bundleId"}),
        optional=frozenset({"addOn", "ipAddressType", "keyPairName", "userData", "tags", REGION}),
        in_place=frozenset({"addOn", "ipAddressType", "tags"}),
    ),
    PORTS: Kind(required=frozenset({"instanceName", "portInfos"})),
    STATIC_IP: Kind(required=frozenset({"name"})),
    ATTACHMENT: Kind(required=frozenset({"instanceName", "staticIpName"})),
    # What DynamoDB Local has; to it tags, backups and encryption are unknown.
    TABLE: Kind(
        required=frozenset({"name", "billingMode", "hashKey", "rangeKey", "attributes"}),
        optional=frozenset({"globalSecondaryIndexes", REGION}),
    ),
}


@dataclass(frozen=True, slots=True)
class Change:
    """What differs between two sets of inputs, and what that takes."""

    changed: frozenset[str]
    replaces: frozenset[str]
    delete_first: bool


def with_defaults(token: str, inputs: Properties) -> dict[str, Any]:
    """Add what the real provider adds to what is left out."""
    return {"ipAddressType": "dualstack", **inputs} if token == INSTANCE else dict(inputs)


def faults(token: str, inputs: Properties) -> dict[str, str]:
    """Return what is wrong with a resource's inputs: property → reason."""
    kind = KINDS[token]
    missing = dict.fromkeys(kind.required - inputs.keys(), "is required, and missing")
    unknown = inputs.keys() - kind.required - kind.optional
    return missing | dict.fromkeys(unknown, f"is nothing that the local provider builds; {token} takes {_names(kind)}")


def change(token: str, old: Properties, new: Properties) -> Change:
    """Compare inputs; an instance that keeps its name has to go before its successor can have it."""
    changed = frozenset(key for key in old.keys() | new.keys() if not _same(key, old.get(key), new.get(key)))
    if REGION not in new:
        # Left out it is computed: a resource stays where it is.
        changed -= {REGION}
    replaces = changed - KINDS[token].in_place
    return Change(changed, replaces, delete_first=bool(replaces) and "name" in new and old.get("name") == new["name"])


def as_written(written: Sequence[Properties], found: Sequence[Properties]) -> bool:
    """Tell whether the openings found are those that a program wrote; what it left to AWS to fill in may be any."""
    if len(written) != len(found):
        return False
    pairs = zip(sorted(written, key=_opening), sorted(found, key=_opening), strict=True)
    return all(_opening(w) == _opening(f) and _sources(w).items() <= _sources(f).items() for w, f in pairs)


def endpoint_fault(config: Properties) -> str | None:
    """Say why a provider configuration (its `endpoints` decoded) must not be used, or None."""
    if endpoint(config, "lightsail") is None:
        return (
            "has no lightsail endpoint, and the local provider never calls AWS: set jada:endpoint "
            "(`pulumi import` takes the stack's own provider by --provider aws=URN)"
        )
    given = [url for each in config["endpoints"] for url in each.values() if url]
    away = next((url for url in given if not _is_private(url)), None)
    return f"{away} is not on this machine: the local provider never calls AWS" if away else None


def endpoint(config: Properties, service: str) -> str | None:
    """Return where a service is, by a provider configuration."""
    return next((e[service] for e in config.get("endpoints", []) if e.get(service)), None)


def _is_private(url: str) -> bool:
    try:
        return ipaddress.ip_address(urlsplit(url).hostname or "").is_private
    except ValueError:
        return False


def _same(key: str, old: Any, new: Any) -> bool:
    if key == "portInfos" and isinstance(old, list) and isinstance(new, list):
        return _openings(old) == _openings(new)
    return bool((old or None) == (new or None))


def _openings(ports: Sequence[Properties]) -> list[Any]:
    """Put openings and their addresses, which AWS keeps as sets, into one order."""
    return sorted([_opening(port), sorted(_sources(port).items())] for port in ports)


def _opening(port: Properties) -> tuple[int, int, str]:
    return port["fromPort"], port["toPort"], port["protocol"]


def _sources(port: Properties) -> dict[str, list[str]]:
    return {family: sorted(port[family]) for family in ("cidrs", "ipv6Cidrs", "cidrListAliases") if port.get(family)}


def _names(kind: Kind) -> str:
    return ", ".join(sorted(kind.required | kind.optional))
