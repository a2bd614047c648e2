"""What may leave a sandbox, decided without doing it: hosts with ports and path prefixes, methods, the addresses that a
name may lead to, and who gets which header.
"""

import ipaddress
import re
from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
HTTPS = 443
METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
"""Whatever is not among them is refused everywhere: TRACE would give a credential back, CONNECT opens a tunnel."""
_GLOBAL_IPV6 = ipaddress.ip_network("2000::/3")
# They hold an IPv4 address that somebody else translates to: 6to4 and Teredo.
_WRAPPED = (ipaddress.ip_network("2002::/16"), ipaddress.ip_network("2001::/32"))
_PUSH, _FETCH = "git-receive-pack", "git-upload-pack"


class EgressRefused(Exception):
    """What the proxy does not let through: `what` was asked for, `why` it is refused, and `allow`, the entry of the
    settings that would let it through, where one could.
    """

    def __init__(self, what: str, why: str, allow: str | None = None) -> None:
        super().__init__(f"{what} {why}")
        self.what = what
        self.why = why
        self.allow = allow


@dataclass(frozen=True, slots=True)
class Place:
    """A host with its port, and the path below which it counts, empty for all of it."""

    host: str
    port: int
    prefix: str = ""

    @classmethod
    def read(cls, text: str) -> "Place":
        """Read `host[:port][/path]`, as the settings have it."""
        authority, slash, path = text.partition("/")
        host, _, port = authority.partition(":")
        return cls(host.lower(), int(port or HTTPS), (slash + path).rstrip("/"))

    def holds(self, path: str) -> bool:
        """Whether a decoded path is at or below this place: whole segments count, /a is no part of /ab."""
        return path == self.prefix or path.startswith(f"{self.prefix}/")

    def __str__(self) -> str:
        return f"{self.host}{'' if self.port == HTTPS else f':{self.port}'}{self.prefix}"


@dataclass(frozen=True, slots=True)
class Rule:
    """What is let through at a place, and the header that is added to it. `git`: only what git sends to fetch and push
    one repository; the header is a repository's credential.
    """

    place: Place
    methods: frozenset[str] = METHODS
    header: tuple[bytes, bytes] | None = field(default=None, repr=False)
    git: bool = False


@dataclass(frozen=True, slots=True)
class Rules:
    """All rules of a session. `private` are networks that may be dialled although they are not public."""

    rules: tuple[Rule, ...]
    private: tuple[Network, ...] = ()

    def host(self, authority: str) -> tuple[str, int]:
        """Return host and port of a CONNECT; raises `EgressRefused` for addresses and for what no rule names."""
        name, _, port = authority.rpartition(":")
        host = name.lower()
        if is_address(host):
            raise EgressRefused(authority, "is an address, and only names are let out")
        if not port.isdecimal() or not any(rule.place.host == host for rule in self.rules):
            raise EgressRefused(authority, "is not listed", str(Place(host, int(port) if port.isdecimal() else HTTPS)))
        if not any((rule.place.host, rule.place.port) == (host, int(port)) for rule in self.rules):
            raise EgressRefused(authority, "is not listed with this port", str(Place(host, int(port))))
        return host, int(port)

    def request(self, host: str, port: int, method: str, target: str) -> Rule:
        """Return the rule that lets a request through, the one of the longest prefix; raises `EgressRefused`."""
        path = plain_path(target)
        asked = Place(host, port, path)
        fitting = [rule for rule in self.rules if (rule.place.host, rule.place.port) == (host, port)]
        fitting = [rule for rule in fitting if rule.place.holds(path)]
        if not fitting:
            raise EgressRefused(f"{method} {asked}", "is below no listed path", str(asked))
        # Of two for one place the one with a credential: whoever gave it meant it.
        rule = max(fitting, key=lambda rule: (len(rule.place.prefix), rule.header is not None))
        if method not in rule.methods:
            raise EgressRefused(
                f"{method} {asked}", f"is refused: only {', '.join(sorted(rule.methods))} are let through here"
            )
        if rule.git and not _is_git(method, path.removeprefix(rule.place.prefix), target.partition("?")[2]):
            raise EgressRefused(f"{method} {asked}", "is refused: only git's own fetch and push are let through here")
        return rule

    def dialable(self, addresses: Iterable[str]) -> list[str]:
        """Return those of a name's addresses that may be dialled."""
        return [address for address in addresses if is_public(address) or self._is_private_on_purpose(address)]

    def _is_private_on_purpose(self, address: str) -> bool:
        return any(ipaddress.ip_address(address) in network for network in self.private)


def is_address(host: str) -> bool:
    """Whether a host is an address in any writing (127.1, 0x7f.1, 2130706433, [::1]): by its last label, as the URL
    standard of browsers tells.
    """
    return ":" in host or re.fullmatch(r"[0-9]+|0x[0-9a-f]*", host.lower().rstrip(".").rpartition(".")[2]) is not None


def is_public(address: str) -> bool:
    """Whether anyone may know what answers there. `is_global` of the standard library is not enough: it is true of
    multicast, and of addresses that hold another one (64:ff9b::, 6to4).
    """
    ip = ipaddress.ip_address(address)
    if not ip.is_global or ip.is_multicast:
        return False
    return ip.version == 4 or (ip in _GLOBAL_IPV6 and not any(ip in network for network in _WRAPPED))


def plain_path(target: str) -> str:
    """Return the decoded path of a request's target; raises `EgressRefused` for one that servers read in more than one
    way: a path could leave its prefix there.
    """
    encoded = target.partition("?")[0]
    if not encoded.startswith("/"):
        raise EgressRefused(target[:200], "is no path: the proxy takes requests to the host of its CONNECT only")
    path, before = encoded, ""
    while path != before:
        # Again and again: what is decoded twice behind us must mean the same.
        before, path = path, unquote_to_bytes(path).decode("utf-8", "replace")
        odd = re.search(r"[\x00-\x20\x7f\\;#]", path) or (path != before and path.count("/") != before.count("/"))
        if odd or {".", ".."} & set(path.split("/")):
            raise EgressRefused(encoded[:200], "is a path that can be read in two ways")
    return path


def is_push(path: str) -> bool:
    """Whether a decoded path is where git sends a push, wherever the repository is."""
    return _PUSH in path.lower().split("/")


def git_header(user: str, token: str) -> bytes:
    """Return the value of the header by which git's servers know a token."""
    return b"Basic " + b64encode(f"{user}:{token}".encode())


def _is_git(method: str, rest: str, query: str) -> bool:
    asks = {("GET", "/info/refs", f"service={service}") for service in (_FETCH, _PUSH)}
    sends = {("POST", f"/{service}", "") for service in (_FETCH, _PUSH)}
    return (method, rest, query) in asks | sends
