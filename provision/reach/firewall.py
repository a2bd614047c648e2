"""The firewall in front of a host as Lightsail has it now: read, compared with who may stay, and changed as a whole.

PutInstancePublicPorts closes what it omits, and OpenInstancePublicPorts replaces the sources of a port: so an address
is let in by putting the present state with it added.
"""

import ipaddress
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from provision.errors import CommandError
from provision.reach import aws_errors

SSH = 22
TRIES = 20
PAUSE_S = 1.0
"""How often, and with which seconds between, the state is read until it shows what was put."""


@dataclass(frozen=True, slots=True)
class Opening:
    """A range of ports that is open, and to which sources."""

    protocol: str
    first: int
    last: int
    cidrs: tuple[str, ...] = ()
    ipv6_cidrs: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()

    @property
    def sources(self) -> tuple[str, ...]:
        """All that may come in here."""
        return (*self.cidrs, *self.ipv6_cidrs, *self.aliases)

    @property
    def is_ssh(self) -> bool:
        """Whether this is the opening that infra makes and a door is added to."""
        return (self.protocol, self.first, self.last) == ("tcp", SSH, SSH)

    def __str__(self) -> str:
        """Write it as people do."""
        ports = f"{self.first}" if self.first == self.last else f"{self.first}-{self.last}"
        return f"{self.protocol}/{ports} from {', '.join(self.sources) or 'nowhere'}"

    def request(self) -> dict[str, Any]:
        """Return it as the API's PortInfo, without its empty lists."""
        lists = {"cidrs": self.cidrs, "ipv6Cidrs": self.ipv6_cidrs, "cidrListAliases": self.aliases}
        given = {name: list(values) for name, values in lists.items() if values}
        return {"protocol": self.protocol, "fromPort": self.first, "toPort": self.last, **given}


State = tuple[Opening, ...]


def state_of(answer: Mapping[str, Any]) -> State:
    """Read an answer of GetInstancePortStates, in an order of its own so that two can be compared."""
    found = [
        Opening(
            each["protocol"],
            each["fromPort"],
            each["toPort"],
            tuple(sorted(each.get("cidrs", ()))),
            tuple(sorted(each.get("ipv6Cidrs", ()))),
            tuple(sorted(each.get("cidrListAliases", ()))),
        )
        for each in answer.get("portStates", ())
        if each.get("state", "open") == "open"
    ]
    return tuple(sorted(found, key=lambda each: (each.first, each.last, each.protocol)))


def lets_in(state: State, address: str) -> bool:
    """Whether SSH is open to an IPv4 address."""
    asked = ipaddress.ip_address(address)
    return any(
        asked in ipaddress.ip_network(cidr)
        for each in state
        if each.protocol in ("tcp", "all") and each.first <= SSH <= each.last
        for cidr in each.cidrs
    )


def strays(state: State, allowed: Collection[str]) -> tuple[str, ...]:
    """Return the sources that SSH is open to and should not be: doors that were left open."""
    found = (cidr for each in state if each.is_ssh for cidr in (*each.cidrs, *each.ipv6_cidrs))
    return tuple(sorted(cidr for cidr in found if cidr not in allowed))


def others(state: State) -> tuple[str, ...]:
    """Return what is open besides SSH."""
    return tuple(
        f"{each.protocol} {each.first}-{each.last} from {', '.join(each.sources)}" for each in state if not each.is_ssh
    )


def absent(state: State, allowed: Iterable[str]) -> tuple[str, ...]:
    """Return the sources that SSH should be open to and is not."""
    present = {cidr for each in state if each.is_ssh for cidr in (*each.cidrs, *each.ipv6_cidrs)}
    return tuple(cidr for cidr in allowed if cidr not in present)


def changed(state: State, add: Collection[str] = (), take_out: Collection[str] = ()) -> State:
    """Return a state with these IPv4 sources of SSH added, and those taken out; all else stays as it is."""
    ssh = next((each for each in state if each.is_ssh), Opening("tcp", SSH, SSH))
    new = replace(
        ssh,
        cidrs=tuple(sorted({*ssh.cidrs, *add} - set(take_out))),
        ipv6_cidrs=tuple(cidr for cidr in ssh.ipv6_cidrs if cidr not in take_out),
    )
    rest = [each for each in state if not each.is_ssh]
    # A port that is put without any source is open to the whole world.
    kept = [new] if new.sources else []
    return tuple(sorted([*rest, *kept], key=lambda each: (each.first, each.last, each.protocol)))


class Firewall:
    """One instance's firewall; `pause` waits between two looks. Raises `CommandError`."""

    def __init__(self, lightsail: Any, instance: str, pause: Callable[[float], None]) -> None:
        self._api, self.instance, self._pause = lightsail, instance, pause

    def state(self) -> State:
        """Read what is open now."""
        return state_of(self._asked(lambda: self._api.get_instance_port_states(instanceName=self.instance)))

    def change(self, wanted: Callable[[State], State]) -> State:
        """Put what `wanted` makes of the present state until a look shows it; return what is open then.

        Another one who puts at the same moment may overwrite us: the next look sees that, and puts again.
        """
        for attempt in range(TRIES):
            if attempt > 1:
                self._pause(PAUSE_S)
            present = self.state()
            goal = wanted(present)
            if goal == present:
                return present
            self._put([each.request() for each in goal])
        raise CommandError(
            f"the firewall of {self.instance} does not show what was put, after {TRIES} tries",
            "`fab door --show` says who may come in; is another one changing it? Then run again",
        )

    def _put(self, infos: list[dict[str, Any]]) -> None:
        self._asked(lambda: self._api.put_instance_public_ports(instanceName=self.instance, portInfos=infos))

    def _asked(self, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except (ClientError, BotoCoreError) as error:
            local = not str(self._api.meta.endpoint_url).endswith(".amazonaws.com")
            raise aws_errors.explained(self.instance, error, local=local) from error
