"""Each resource as the Lightsail calls that the real provider makes, in its order and with its ids.

A resource is read as inputs (what a program would write) and outputs (all of it), in the engine's camelCase.
"""

import functools
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from botocore.exceptions import ClientError

from local.pulumi import rules
from local.pulumi.rules import Properties

T = TypeVar("T")
# Lightsail's own name for the key that a host gets when no other is given.
DEFAULT_KEY = "LightsailDefaultKeyPair"


class Unfinished(Exception):
    """A resource that exists in AWS but did not become ready; its id, so that the engine can record it."""

    def __init__(self, resource_id: str, why: str) -> None:
        super().__init__(why)
        self.resource_id = resource_id


@dataclass(frozen=True, slots=True)
class Found:
    """A resource as it is: its id, the inputs that would make it, all its properties."""

    resource_id: str
    inputs: dict[str, Any]
    outputs: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Polling:
    """How long to wait for AWS, how often to ask, and by which clock; seconds."""

    limit: float = 600
    pause: float = 0.2
    clock: Callable[[], float] = field(default=time.monotonic)
    sleep: Callable[[float], None] = field(default=time.sleep)

    def until(self, ready: Callable[[], bool]) -> bool:
        """Ask until it is ready; False when that took longer than the limit."""
        end = self.clock() + self.limit
        while not ready():
            if self.clock() > end:
                return False
            self.sleep(self.pause)
        return True


class Resource(Protocol):
    """One type of resource at one endpoint; `known` are the inputs in the state, empty for an import."""

    def create(self, inputs: Properties) -> str:
        """Make it and return its id."""

    def read(self, resource_id: str, known: Properties, /) -> Found | None:
        """Return it as it is, or None when it is gone."""

    def delete(self, resource_id: str, inputs: Properties, /) -> None:
        """Remove it; whether it is an error that it is gone already depends on its type, as with the real provider."""


@dataclass(frozen=True, slots=True)
class Instance:
    """A host; ready once it runs. The one resource that can change in place."""

    client: Any
    polling: Polling

    def create(self, inputs: Properties) -> str:
        """Create it and wait until it runs; raises `Unfinished`."""
        name: str = inputs["name"]
        keys = ("availabilityZone", "blueprintId", "bundleId", "ipAddressType", "keyPairName", "userData")
        request = {key: inputs[key] for key in keys if inputs.get(key)}
        answer = self.client.create_instances(instanceNames=[name], tags=_tag_list(inputs.get("tags", {})), **request)
        self._finish(name, answer["operations"])
        if not self.polling.until(lambda: self._state(name) == "running"):
            raise Unfinished(name, f"{name} does not run after {self.polling.limit:.0f} s; it is {self._state(name)}")
        # Not with the creation: that is how the real provider does it.
        self._set_add_on(name, {}, inputs.get("addOn") or {})
        return name

    def read(self, resource_id: str, known: Properties, /) -> Found | None:
        """Read it by its name, which is its id."""
        found = _unless_gone(lambda: self.client.get_instance(instanceName=resource_id)["instance"])
        if found is None:
            return None
        inputs = _instance_inputs(found, known)
        return Found(resource_id, inputs, inputs | _instance_outputs(found))

    def update(self, resource_id: str, old: Properties, new: Properties) -> None:
        """Change address type and tags, each by its own call."""
        if old.get("ipAddressType") != new["ipAddressType"]:
            answer = self.client.set_ip_address_type(
                resourceType="Instance", resourceName=resource_id, ipAddressType=new["ipAddressType"]
            )
            self._finish(resource_id, answer.get("operations", ()))
        before, after = old.get("tags") or {}, new.get("tags") or {}
        if gone := sorted(before.keys() - after.keys()):
            self.client.untag_resource(resourceName=resource_id, tagKeys=gone)
        if changed := {key: value for key, value in after.items() if before.get(key) != value}:
            self.client.tag_resource(resourceName=resource_id, tags=_tag_list(changed))
        if (old.get("addOn") or {}) != (new.get("addOn") or {}):
            self._set_add_on(resource_id, old.get("addOn") or {}, new.get("addOn") or {})

    def _set_add_on(self, name: str, old: Properties, new: Properties) -> None:
        """Disable what was there, then enable what is wanted: the hour can't be changed otherwise."""
        enabled = new.get("status") == "Enabled"
        if old and (not enabled or old.get("status") == "Enabled"):
            answer = self.client.disable_add_on(resourceName=name, addOnType=old["type"])
            self._finish(name, answer.get("operations", ()))
        if enabled:
            hour = {"snapshotTimeOfDay": new["snapshotTime"]}
            request = {"addOnType": new["type"], "autoSnapshotAddOnRequest": hour}
            answer = self.client.enable_add_on(resourceName=name, addOnRequest=request)
            self._finish(name, answer.get("operations", ()))

    def delete(self, resource_id: str, _inputs: Properties, /) -> None:
        """Delete it, its automatic snapshots too, and wait for that operation; one that is gone is no error."""
        answer = _unless_gone(lambda: self.client.delete_instance(instanceName=resource_id, forceDeleteAddOns=True))
        self._finish(resource_id, (answer or {}).get("operations", ()))

    def _finish(self, name: str, operations: Sequence[Properties]) -> None:
        for begun in operations:
            if not self.polling.until(functools.partial(self._has_ended, begun["id"])):
                raise Unfinished(name, f"{begun['operationType']} of {name} goes on after {self.polling.limit:.0f} s")
            ended = self.client.get_operation(operationId=begun["id"])["operation"]
            if ended["status"] == "Failed":
                raise Unfinished(name, f"{begun['operationType']} of {name}: {ended.get('errorDetails', 'failed')}")

    def _has_ended(self, operation: str) -> bool:
        return bool(self.client.get_operation(operationId=operation)["operation"]["isTerminal"])

    def _state(self, name: str) -> str | None:
        found = _unless_gone(lambda: self.client.get_instance(instanceName=name)["instance"])
        return None if found is None else found["state"]["name"]


@dataclass(frozen=True, slots=True)
class Ports:
    """All openings of a host's firewall: one Put, which closes what it omits."""

    client: Any

    def create(self, inputs: Properties) -> str:
        """Put the openings; the id is made of host and ports, as the real provider makes it."""
        self.client.put_instance_public_ports(instanceName=inputs["instanceName"], portInfos=inputs["portInfos"])
        ports = "".join(f"{p['protocol']}-{p['fromPort']}-{p['toPort']}\n" for p in inputs["portInfos"])
        return f"{inputs['instanceName']}-{zlib.crc32(ports.encode())}"

    def read(self, resource_id: str, known: Properties, /) -> Found | None:
        """Read what is open now; a host without any opening has no such resource."""
        if not known:
            raise ValueError(
                "InstancePublicPorts can't be imported: declare them, and `up` puts them over what is open"
            )
        name = known["instanceName"]
        states = _unless_gone(lambda: self.client.get_instance_port_states(instanceName=name)["portStates"])
        found = [_opening(state) for state in states or [] if state["state"] == "open"]
        if not found:
            return None
        ports = known["portInfos"] if rules.as_written(known["portInfos"], found) else found
        inputs = {"instanceName": name, "portInfos": ports}
        return Found(resource_id, inputs, inputs)

    def delete(self, _resource_id: str, inputs: Properties, /) -> None:
        """Close each opening, as the real provider does where `retain_on_delete` doesn't keep it from that: all are
        tried, and a host that is gone is an error.
        """
        refused = []
        for port in inputs["portInfos"]:
            try:
                self.client.close_instance_public_ports(instanceName=inputs["instanceName"], portInfo=port)
            except ClientError as error:
                refused.append(str(error))
        if refused:
            raise ValueError(
                f"unable to close public ports for instance {inputs['instanceName']}: {'; '.join(refused)}"
            )


@dataclass(frozen=True, slots=True)
class StaticIp:
    """An address that stays."""

    client: Any

    def create(self, inputs: Properties) -> str:
        """Allocate it."""
        name: str = inputs["name"]
        self.client.allocate_static_ip(staticIpName=name)
        return name

    def read(self, resource_id: str, _known: Properties, /) -> Found | None:
        """Read it by its name, which is its id."""
        found = _unless_gone(lambda: self.client.get_static_ip(staticIpName=resource_id)["staticIp"])
        if found is None:
            return None
        inputs = {"name": resource_id}
        return Found(resource_id, inputs, inputs | _only(found, "arn", "ipAddress", "supportCode"))

    def delete(self, resource_id: str, _inputs: Properties, /) -> None:
        """Release it; one that is gone is no error."""
        _unless_gone(lambda: self.client.release_static_ip(staticIpName=resource_id))


@dataclass(frozen=True, slots=True)
class Attachment:
    """An address on a host."""

    client: Any

    def create(self, inputs: Properties) -> str:
        """Attach it; the id is the address's name."""
        name: str = inputs["staticIpName"]
        self.client.attach_static_ip(staticIpName=name, instanceName=inputs["instanceName"])
        return name

    def read(self, resource_id: str, known: Properties, /) -> Found | None:
        """Read where the address is; one on no host is no attachment."""
        if not known:
            raise ValueError(
                "StaticIpAttachment can't be imported: declare it, and `up` attaches over what is attached"
            )
        found = _unless_gone(lambda: self.client.get_static_ip(staticIpName=resource_id)["staticIp"])
        if found is None or not found["isAttached"]:
            return None
        inputs = {"staticIpName": resource_id, "instanceName": found["attachedTo"]}
        return Found(resource_id, inputs, inputs | _only(found, "ipAddress"))

    def delete(self, resource_id: str, _inputs: Properties, /) -> None:
        """Detach it from whatever it is on; one that is on nothing, or gone, is an error."""
        self.client.detach_static_ip(staticIpName=resource_id)


def all_resources(client: Any, polling: Polling) -> Mapping[str, Resource]:
    """Return the resources behind one client, by their type."""
    return {
        rules.INSTANCE: Instance(client, polling),
        rules.PORTS: Ports(client),
        rules.STATIC_IP: StaticIp(client),
        rules.ATTACHMENT: Attachment(client),
    }


def _instance_inputs(found: Properties, known: Properties) -> dict[str, Any]:
    inputs = _only(found, "name", "blueprintId", "bundleId", "ipAddressType") | _only(known, "userData")
    inputs["availabilityZone"] = found["location"]["availabilityZone"]
    if found.get("sshKeyName", DEFAULT_KEY) != DEFAULT_KEY:
        inputs["keyPairName"] = found["sshKeyName"]
    if tags := _tags(found):
        inputs["tags"] = tags
    for add_on in found.get("addOns", []):
        hour = add_on["snapshotTimeOfDay"]
        inputs["addOn"] = {"type": add_on["name"], "status": add_on["status"], "snapshotTime": hour}
    return inputs


def _instance_outputs(found: Properties) -> dict[str, Any]:
    same = _only(found, "arn", "isStaticIp", "privateIpAddress", "publicIpAddress", "ipv6Addresses", "username")
    hardware = {"cpuCount": found["hardware"]["cpuCount"], "ramSize": found["hardware"]["ramSizeInGb"]}
    return same | hardware | {"createdAt": found["createdAt"].isoformat(), "tagsAll": _tags(found)}


def _opening(state: Properties) -> dict[str, Any]:
    families = {f: state[f] for f in ("cidrs", "ipv6Cidrs", "cidrListAliases") if state.get(f)}
    return {**_only(state, "fromPort", "toPort", "protocol"), **families}


def _tags(found: Properties) -> dict[str, str]:
    return {tag["key"]: tag.get("value", "") for tag in found.get("tags", [])}


def _tag_list(tags: Properties) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in sorted(tags.items())]


def _only(found: Properties, *keys: str) -> dict[str, Any]:
    return {key: found[key] for key in keys if key in found}


def _unless_gone(call: Callable[[], T]) -> T | None:
    try:
        return call()
    except ClientError as error:
        # Lightsail answers so for a name that it doesn't know.
        if error.response["Error"]["Code"] == "NotFoundException":
            return None
        raise
