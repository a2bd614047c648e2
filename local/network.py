"""The local cloud's network: a namespace in the middle (the edge), one for each host, links between them.

`ensure` and `remove` act from the machine's own namespace; all else names the namespaces it acts in, because the
Lightsail double runs inside the edge. Nothing of the machine's own is touched but one link and one route, both named
after the site. All of it can be run again after any interruption.
"""

import ipaddress
import json
import re
import subprocess
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from local import locks
from local.commands import run, succeeds
from local.site import Site

NAMESPACES = Path("/run/netns")
_NOTE = Path("/run/netns-mounted-for-jada")


class AddressesTaken(RuntimeError):
    """The site's addresses are already routed by something else on this machine."""


def ensure(site: Site) -> None:
    """Make the edge namespace and its link to the machine, as far as they are missing. Raises `AddressesTaken`."""
    require_addresses(site)
    # Looking whether the folder is mounted and acting on it are one step: another site may do the opposite.
    with locks.namespaces():
        _note_mount()
        _namespace(site.edge)
    _forward(site.edge)
    # On lo: it is there whichever links are up.
    _ip(site.edge, "address", "replace", f"{site.cloud_address}/32", "dev", "lo")
    # An address that no host has swallows packets, as the vendor's do, instead of answering that it is free.
    _ip(site.edge, "route", "replace", "blackhole", site.network)
    _link_machine(site)


def require_addresses(site: Site) -> None:
    """Raise `AddressesTaken` when something else on this machine has a route into the site's addresses."""
    routes = json.loads(run("ip", "-json", "-4", "route", "show") or "[]")
    if taken := conflicts(routes, site):
        free = next((n for n in range(site.octet + 1, 256) if not conflicts(routes, replace(site, octet=n))), None)
        cure = f"give another behind the command: JADA_OCTET={free}" if free else "remove that route"
        raise AddressesTaken(
            f"{site.network} is wanted for the local cloud, but this machine already routes {', '.join(taken)}; {cure}"
        )


def inside(site: Site) -> bool:
    """Whether this process already runs in the site's edge namespace."""
    edge = NAMESPACES / site.edge
    return edge.exists() and edge.stat().st_ino == Path("/proc/self/ns/net").stat().st_ino


def ensure_host(site: Site, number: int) -> None:
    """Make the namespace of host `number` (1 to 250) and its link to the edge; the edge must be there."""
    name, inner = namespace(site, number), f"h{number}"
    _namespace(name)
    if not succeeds("ip", "-n", site.edge, "link", "show", inner):
        # A host's end without its other end can't exist, so an eth0 found here is of a pair cut in the making.
        run("ip", "-n", site.edge, "link", "add", inner, "type", "veth", "peer", "name", "eth0", "netns", name)
    _ip(site.edge, "link", "set", inner, "up")
    # A route for each host, and no network in common: from host to host leads only the edge, with its firewalls.
    _ip(site.edge, "route", "replace", f"{site.private_address(number)}/32", "dev", inner, "src", site.cloud_address)
    _ip(name, "address", "replace", f"{site.private_address(number)}/32", "dev", "eth0")
    _ip(name, "link", "set", "eth0", "up")
    # First the way to the gateway: it is in no network of the host's, and no route leads over what is not reached.
    _ip(name, "route", "replace", f"{site.cloud_address}/32", "dev", "eth0", "scope", "link")
    _ip(name, "route", "replace", "default", "via", site.cloud_address, "dev", "eth0")


def remove_host(site: Site, number: int) -> None:
    """Take the namespace and the link of host `number` away, if they are there."""
    if succeeds("ip", "-n", site.edge, "link", "show", f"h{number}"):
        _ip(site.edge, "link", "delete", f"h{number}")
    _delete_namespace(namespace(site, number))


def remove(site: Site) -> None:
    """Take the site's links and namespaces away, whatever is left of them."""
    if succeeds("ip", "link", "show", _link(site)):
        run("ip", "link", "delete", _link(site))
    with locks.namespaces():
        # The edge last: a host's link ends in it, and goes with the host.
        for name in namespaces(site, (path.name for path in NAMESPACES.glob("*"))):
            _delete_namespace(name)
        _undo_mount()


def namespace(site: Site, number: int) -> str:
    """The network namespace of host `number`."""
    return f"{site.name}-h{number}"


def namespaces(site: Site, existing: Iterable[str]) -> list[str]:
    """Those of the `existing` namespaces that are this site's; hosts first, the edge last."""
    own = [name for name in existing if re.fullmatch(rf"{re.escape(site.name)}-(edge|h[0-9]+)", name)]
    return sorted(own, key=lambda name: name == site.edge)


def processes(site: Site) -> list[int]:
    """Ids of all processes in the site's namespaces: the doubles, hosts, and what a killed double left half done."""
    found = namespaces(site, (path.name for path in NAMESPACES.glob("*")))
    listed = [subprocess.run(["ip", "netns", "pids", name], capture_output=True, check=False).stdout for name in found]
    return [int(pid) for pids in listed for pid in pids.split()]


def conflicts(routes: Iterable[dict[str, Any]], site: Site) -> list[str]:
    """Which of the machine's `routes` (as `ip -json route` tells them) overlap the site's addresses."""
    ours = ipaddress.ip_network(site.network)
    others = [r for r in routes if r["dst"] != "default" and r.get("dev") != _link(site)]
    overlapping = [r for r in others if ipaddress.ip_network(r["dst"]).overlaps(ours)]
    return [f"{r['dst']} ({r.get('dev', r.get('type', 'no device'))})" for r in overlapping]


def _link(site: Site) -> str:
    return f"{site.name}-op"


def _link_machine(site: Site) -> None:
    link, far = _link(site), f"10.{site.octet}.255.2"
    if not succeeds("ip", "link", "show", link):
        run("ip", "link", "add", link, "type", "veth", "peer", "name", "op", "netns", site.edge)
    _ip(site.edge, "address", "replace", f"{far}/30", "dev", "op")
    _ip(site.edge, "link", "set", "op", "up")
    run("ip", "address", "replace", f"{site.operator_address}/30", "dev", link)
    run("ip", "link", "set", link, "up")
    # src: by itself the kernel may choose another address of this machine, to which the edge knows no way back.
    run("ip", "route", "replace", site.network, "via", far, "dev", link, "src", site.operator_address)


def _note_mount() -> None:
    """Take note if this machine's first namespace will be ours: `ip` mounts its folder then, and never undoes it."""
    # Path.is_mount does not see a folder that is mounted on itself.
    if f" {NAMESPACES} " not in Path("/proc/self/mounts").read_text(encoding="utf-8"):
        _NOTE.touch()


def _undo_mount() -> None:
    """The last site to leave takes the mount away, if one of ours made it."""
    if _NOTE.exists() and not any(NAMESPACES.glob("*")):
        succeeds("umount", str(NAMESPACES))
        _NOTE.unlink()


def _namespace(name: str) -> None:
    if not succeeds("ip", "-n", name, "link", "show", "lo"):
        _delete_namespace(name)  # a name without a namespace behind it: its making was interrupted
        run("ip", "netns", "add", name)
    _ip(name, "link", "set", "lo", "up")


def _delete_namespace(name: str) -> None:
    if (NAMESPACES / name).exists():
        run("ip", "netns", "delete", name)


def _forward(name: str) -> None:
    """Let only this namespace pass packets on: the file is another one in each network namespace."""
    switch = "echo 1 >/proc/sys/net/ipv4/ip_forward"
    run("nsenter", f"--net=/run/netns/{name}", "sh", "-c", switch)


def _ip(name: str, *argv: str) -> str:
    return run("ip", "-n", name, *argv)
