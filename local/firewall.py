"""The hosts' firewalls and the translation of their public addresses: nftables, only inside the edge namespace.

The ruleset is a value: one text for all hosts, loaded as one transaction. The chains themselves are never replaced
(a new base chain with a dropping policy would drop packets until its rules are there), only their content.
"""

import ipaddress
from dataclasses import dataclass

from local.commands import run
from local.site import Site


@dataclass(frozen=True, slots=True)
class OpenPorts:
    """Ports that are let in: `protocol` tcp, udp, icmp or all; `first` and `last` are ports, or ICMP's type and
    code with -1 for any; `sources` are IPv4 CIDRs.
    """

    protocol: str
    first: int
    last: int
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GuardedHost:
    """A host as its firewall sees it."""

    private: str
    public: str
    openings: tuple[OpenPorts, ...]


def apply(site: Site, hosts: tuple[GuardedHost, ...]) -> None:
    """Load the rules of all hosts, in one transaction, in place of those before."""
    run("nsenter", f"--net=/run/netns/{site.edge}", "nft", "--file", "-", stdin=ruleset(hosts))


def ruleset(hosts: tuple[GuardedHost, ...]) -> str:
    """The whole ruleset for these hosts, as nft reads it, whatever was loaded before."""
    incoming = [f"ip daddr {host.public} dnat to {host.private}" for host in hosts]
    # To the outside, and back to a public address of ours, a host appears as its own public address.
    outgoing = [
        f"ip saddr {h.private} {w} snat to {h.public}" for h in hosts for w in ('oifname "op"', "ct status dnat")
    ]
    openings = [
        f"ip daddr {host.private} {match} accept"
        for host in hosts
        for opening in host.openings
        for match in matches(opening)
    ]
    return "\n".join(
        [
            "add table ip firewall",
            *_chain("incoming", "type nat hook prerouting priority dstnat; policy accept;", incoming),
            *_chain("outgoing", "type nat hook postrouting priority srcnat; policy accept;", outgoing),
            *_chain("openings", "", openings),
            *_chain("passing", "type filter hook forward priority filter; policy drop;", _PASSING),
            "",
        ]
    )


def matches(opening: OpenPorts) -> list[str]:
    """What a packet must be to pass through `opening`; nothing when it has no sources."""
    if not opening.sources:
        return []
    # nft refuses a set in which one network lies within another.
    networks = ipaddress.collapse_addresses(ipaddress.IPv4Network(source) for source in opening.sources)
    sources = f"ip saddr {{ {', '.join(map(str, networks))} }} "
    if opening.protocol == "all":
        return [f"{sources}meta l4proto {{ tcp, udp, icmp }}"]
    if opening.protocol == "icmp":
        kind = "" if opening.first < 0 else f" icmp type {opening.first}"
        code = "" if opening.last < 0 else f" icmp code {opening.last}"
        return [f"{sources}meta l4proto icmp{kind}{code}"]
    return [f"{sources}{opening.protocol} dport {opening.first}-{opening.last}"]


_PASSING = (
    "ct state established,related accept",
    "ct state invalid drop",
    # What came to a public address: it is the private one by now, which `openings` names.
    "ct status dnat jump openings",
    # Among themselves hosts talk by private addresses, in front of which the vendor has no firewall either.
    'iifname "h*" oifname "h*" ct status != dnat accept',
    # Nothing is routed beyond this machine: say so at once, instead of letting a host's programs wait.
    'iifname "h*" oifname "op" reject with icmp type net-unreachable',
)


def _chain(name: str, hook: str, rules: list[str] | tuple[str, ...]) -> list[str]:
    made = f"add chain ip firewall {name} {{ {hook} }}" if hook else f"add chain ip firewall {name}"
    return [made, f"flush chain ip firewall {name}", *(f"add rule ip firewall {name} {rule}" for rule in rules)]
