"""The firewall in front of an instance: Put, Open and CloseInstancePublicPorts, GetInstancePortStates."""

import ipaddress
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from doubles.lightsail.calls.answers import operation
from doubles.lightsail.cloud import Cloud
from doubles.lightsail.errors import failure, invalid
from doubles.lightsail.records import Instance, Port

DEFAULT_PORTS = (Port(22, 22, "tcp"), Port(80, 80, "tcp"))
"""What is open on a new Linux instance."""
ANYWHERE = ("0.0.0.0/0", "::/0")
ALIASES = ("lightsail-connect",)
"""Lists of addresses with a name. The browser client behind it does not exist on this machine, so it opens nothing."""
_NAMES = {22: "SSH", 80: "HTTP", 443: "HTTPS", 3306: "MySQL/Aurora", 5432: "PostgreSQL"}


def put_instance_public_ports(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """Open exactly these ports; all that are omitted close."""
    ports = _merged((), [read(given) for given in request["portInfos"]])
    return _changed(cloud, request, ports, "PutInstancePublicPorts")


def open_instance_public_ports(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """Open one range more; one that is open gets the new sources."""
    before = cloud.instance(request["instanceName"]).ports
    return _changed(cloud, request, _merged(before, [read(request["portInfo"])]), "OpenInstancePublicPorts")


def close_instance_public_ports(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """Close one range, whatever its sources; one that isn't open stays closed."""
    closed = read(request["portInfo"]).range
    before = cloud.instance(request["instanceName"]).ports
    after = tuple(port for port in before if port.range != closed)
    return _changed(cloud, request, after, "CloseInstancePublicPorts")


def get_instance_port_states(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """List what is open."""
    ports = cloud.instance(request["instanceName"]).ports
    return {"portStates": [{**_described(port), "state": "open"} for port in ports]}


def info(port: Port) -> dict[str, Any]:
    """Describe an open range as an instance's `networking` has it."""
    everywhere = set(ANYWHERE) & {*port.cidrs, *port.ipv6_cidrs}
    source = f"Anywhere ({' and '.join(sorted(everywhere))})" if everywhere else "Custom"
    name = _NAMES.get(port.first, "") if port.first == port.last else ""
    described = {**_described(port), "accessFrom": source, "accessType": "Public", "accessDirection": "inbound"}
    return {**described, "commonName": name or "Custom"}


def read(given: dict[str, Any]) -> Port:
    """Read a PortInfo; without any source it means anywhere. Raises `AwsError`."""
    protocol = given.get("protocol")
    if protocol is None:
        raise invalid("A port needs a protocol: tcp, udp, icmp, icmpv6 or all.")
    first, last = _range(protocol, given)
    # Sources of one family do not open the other: only a port without any is open to all.
    sourced = any(given.get(member) for member in ("cidrs", "ipv6Cidrs", "cidrListAliases"))
    if unknown := set(given.get("cidrListAliases", ())) - set(ALIASES):
        raise invalid(f"cidrListAliases: {', '.join(sorted(unknown))} unknown; there is {', '.join(ALIASES)}.")
    return Port(
        first,
        last,
        protocol,
        _cidrs(given.get("cidrs", ()) if sourced else ANYWHERE[:1], 4),
        _cidrs(given.get("ipv6Cidrs", ()) if sourced else ANYWHERE[1:], 6),
        tuple(given.get("cidrListAliases", ())),
    )


def _range(protocol: str, given: dict[str, Any]) -> tuple[int, int]:
    if protocol == "all":
        return 0, 65535
    if "fromPort" not in given or "toPort" not in given:
        raise invalid("A port needs fromPort and toPort.")
    first, last = given["fromPort"], given["toPort"]
    if protocol in {"icmp", "icmpv6"}:
        if max(first, last) > 255:
            raise invalid(f"For {protocol}, fromPort is the type and toPort the code: -1 (any) to 255.")
    elif first < 0 or first > last:
        raise invalid(f"The ports {first} to {last} are no range from 0 to 65535.")
    return first, last


def _cidrs(given: Iterable[str], version: int) -> tuple[str, ...]:
    try:
        networks = [ipaddress.ip_network(text) for text in given]
    except ValueError as error:
        raise invalid(f"A source must be an address or a CIDR: {error}.") from None
    if any(network.version != version for network in networks):
        raise invalid("cidrs must be IPv4 only, ipv6Cidrs IPv6 only.")
    return tuple(map(str, networks))


def _merged(before: Iterable[Port], new: Iterable[Port]) -> tuple[Port, ...]:
    return tuple({port.range: port for port in (*before, *new)}.values())


def _changed(cloud: Cloud, request: dict[str, Any], ports: tuple[Port, ...], kind: str) -> dict[str, Any]:
    instance: Instance = cloud.instance(request["instanceName"])
    if instance.job == "delete":
        raise failure(f"Instance {instance.name} is being deleted.")
    cloud.store.put(replace(instance, ports=ports))
    cloud.load_firewall()
    return {"operation": operation(cloud, cloud.record_operation(kind, instance, "Succeeded"))}


def _described(port: Port) -> dict[str, Any]:
    return {
        "fromPort": port.first,
        "toPort": port.last,
        "protocol": port.protocol,
        "cidrs": list(port.cidrs),
        "ipv6Cidrs": list(port.ipv6_cidrs),
        "cidrListAliases": list(port.aliases),
    }
