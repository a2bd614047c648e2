"""Static IPs: AllocateStaticIp, AttachStaticIp, DetachStaticIp, ReleaseStaticIp, GetStaticIp, GetStaticIps."""

from dataclasses import replace
from typing import Any

from doubles.lightsail.calls.answers import identity, operation, page
from doubles.lightsail.cloud import Cloud, new_id
from doubles.lightsail.errors import failure
from doubles.lightsail.records import Instance, StaticIp

MOST = 5
"""Static IPs of an account in a region."""


def allocate_static_ip(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """Take an address that stays."""
    cloud.require_free_name(request["staticIpName"])
    if len(cloud.store.all(StaticIp)) >= MOST:
        raise failure(f"Quota: {MOST} static IPs a region, and all are allocated. Release one.")
    made = StaticIp(request["staticIpName"], new_id(), cloud.clock(), cloud.free_address())
    cloud.store.put(made)
    return _done(cloud, "AllocateStaticIp", made)


def attach_static_ip(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """Make it the public address of an instance, in place of the instance's own, which is given back."""
    ip, instance = cloud.static_ip(request["staticIpName"]), cloud.instance(request["instanceName"])
    if instance.job == "delete":
        raise failure(f"Instance {instance.name} is being deleted.")
    if ip.attached == instance.name:
        return _done(cloud, "AttachStaticIp", ip, instance.name)
    if ip.attached:
        raise failure(f"{ip.name} is attached to {ip.attached}: detach it first.")
    if any(other.attached == instance.name for other in cloud.store.all(StaticIp)):
        raise failure(f"{instance.name} has a static IP already: detach that first.")
    cloud.store.put(replace(ip, attached=instance.name))
    # The vendor takes an instance's own address back for good: after a detach it has another one.
    cloud.store.put(replace(instance, address=""))
    cloud.load_firewall()
    return _done(cloud, "AttachStaticIp", ip, instance.name)


def detach_static_ip(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """Take it from its instance, which gets an address of its own if it runs."""
    ip = cloud.static_ip(request["staticIpName"])
    if not ip.attached:
        raise failure(f"{ip.name} is not attached to an instance.")
    instance = cloud.store.find(Instance, ip.attached)
    cloud.store.put(replace(ip, attached=""))
    if instance and instance.up:
        cloud.store.put(replace(instance, address=cloud.free_address()))
    cloud.load_firewall()
    return _done(cloud, "DetachStaticIp", ip, ip.attached)


def release_static_ip(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """Give the address back; one that is attached is detached."""
    ip = cloud.static_ip(request["staticIpName"])
    if ip.attached:
        detach_static_ip(cloud, request)
    cloud.store.drop(ip)
    return _done(cloud, "ReleaseStaticIp", ip)


def get_static_ip(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """Describe one."""
    return {"staticIp": _described(cloud, cloud.static_ip(request["staticIpName"]))}


def get_static_ips(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """Describe all, page by page."""
    listed, rest = page(cloud.store.all(StaticIp), request.get("pageToken"))
    return {"staticIps": [_described(cloud, one) for one in listed], **rest}


def _done(cloud: Cloud, kind: str, ip: StaticIp, details: str = "") -> dict[str, Any]:
    return {"operations": [operation(cloud, cloud.record_operation(kind, ip, "Succeeded", details))]}


def _described(cloud: Cloud, ip: StaticIp) -> dict[str, Any]:
    attached = {"attachedTo": ip.attached} if ip.attached else {}
    return {**identity(cloud, ip), "ipAddress": ip.address, "isAttached": bool(ip.attached), **attached}
