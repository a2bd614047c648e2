"""Instances: create, describe, start, stop, reboot, delete, and access to one. Hosts follow in the background."""

from typing import Any

from doubles.lightsail.access import LIFETIME_S, host_key_entries, new_key, private_pem
from doubles.lightsail.calls.answers import identity, location, operation, page, tags
from doubles.lightsail.calls.ports import DEFAULT_PORTS, info
from doubles.lightsail.calls.snapshots import add_ons
from doubles.lightsail.calls.tags import read
from doubles.lightsail.catalog import BLUEPRINTS, BUNDLES, ZONES
from doubles.lightsail.cloud import Cloud, new_id
from doubles.lightsail.errors import failure, invalid, not_built
from doubles.lightsail.records import STATES, Instance
from local.hosts.disk import USER

VCPUS = 20
"""What all instances of a region may have together."""
_NOT_BUILT = ("addOns", "customImageName", "keyPairName", "userData")
"""Members of CreateInstances. Hosts are opened by certificates, never by the key of a key pair."""


def create_instances(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """Make instances, all of them or none; they are `pending` until their hosts answer."""
    for member in _NOT_BUILT:
        if request.get(member):
            raise not_built(f"CreateInstances' {member}")
    names = request["instanceNames"]
    # All is checked before anything is made: of several instances the vendor makes all or none.
    _require_valid(cloud, request, names)
    _require_quota(cloud, len(names), request["bundleId"])
    return {"operations": [_created(cloud, name, request) for name in names]}


def get_instance(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """Describe one instance."""
    return {"instance": _described(cloud, cloud.instance(request["instanceName"]))}


def get_instances(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """Describe all instances, page by page."""
    if request.get("includeHealthStatus"):
        raise not_built("GetInstances' includeHealthStatus")
    listed, rest = page(cloud.store.all(Instance), request.get("pageToken"))
    return {"instances": [_described(cloud, one) for one in listed], **rest}


def get_instance_state(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """Say what state an instance is in."""
    return {"state": _state(cloud.instance(request["instanceName"]))}


def start_instance(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """Start a stopped instance; without a static IP it gets another public address."""
    instance = _in_state(cloud, request, "stopped")
    return _begin(cloud, instance, "start", "StartInstance")


def stop_instance(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """Shut an instance down; with `force` too, it is killed only if it doesn't end in time."""
    return _begin(cloud, _in_state(cloud, request, "running"), "stop", "StopInstance")


def reboot_instance(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """Shut an instance down and start it; all the while it counts as running, and keeps its addresses."""
    return _begin(cloud, _in_state(cloud, request, "running"), "reboot", "RebootInstance")


def delete_instance(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """Delete an instance whatever it does; what is under way is finished first."""
    instance = cloud.instance(request["instanceName"])
    if instance.job == "delete":
        raise failure(f"Instance {instance.name} is being deleted already.")
    return _begin(cloud, instance, "delete", "DeleteInstance")


def get_instance_access_details(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """Hand out a new key and a certificate for it, and the host keys seen at the first boot."""
    instance = cloud.instance(request["instanceName"])
    if request.get("protocol", "ssh") != "ssh":
        raise invalid(f"{instance.name} is no Windows instance: the protocol is ssh.")
    if instance.state != "running":
        raise failure(f"Instance {instance.name} is {instance.state}, not running: start it, or wait.")
    now, key = cloud.clock(), new_key()
    # AWS's sample of the old form has no expiresAt: whoever needs it reads the certificate.
    expiry = {} if cloud.authority.old else {"expiresAt": float(int(now) + LIFETIME_S)}
    details = {
        "certKey": cloud.authority.certificate(key, USER, now),
        "privateKey": private_pem(key),
        "ipAddress": cloud.public_address(instance),
        "ipv6Addresses": [],
        "username": USER,
        "instanceName": instance.name,
        "protocol": "ssh",
        "hostKeys": host_key_entries(instance.host_keys, instance.witnessed),
        **expiry,
    }
    return {"accessDetails": details}


def _require_valid(cloud: Cloud, request: dict[str, Any], names: list[str]) -> None:
    if not names or len(set(names)) < len(names):
        raise invalid("instanceNames must be names, each once.")
    for name in names:
        cloud.require_free_name(name)
    if request["availabilityZone"] not in ZONES[cloud.region]:
        raise invalid(f"availabilityZone must be one of {', '.join(ZONES[cloud.region])}.")
    if request["bundleId"] not in BUNDLES:
        raise invalid(f"bundleId must be one of {', '.join(BUNDLES)}, not {request['bundleId']}.")
    if request["blueprintId"] not in BLUEPRINTS:
        raise invalid(f"blueprintId must be one of {', '.join(BLUEPRINTS)}, not {request['blueprintId']}.")
    if request["blueprintId"] not in cloud.images:
        known = ", ".join(cloud.images)
        raise failure(f"There is no image of {request['blueprintId']}: this local Lightsail starts only {known}.")
    if request.get("ipAddressType") == "ipv6":
        raise not_built("CreateInstances' ipAddressType ipv6")


def _require_quota(cloud: Cloud, count: int, bundle: str) -> None:
    used = sum(int(BUNDLES[one.bundle]["cpuCount"]) for one in cloud.store.all(Instance))
    wanted = count * int(BUNDLES[bundle]["cpuCount"])
    if used + wanted > VCPUS:
        raise failure(f"Quota: {VCPUS} vCPUs a region. {used} are in use and {wanted} more are asked for.")


def _created(cloud: Cloud, name: str, request: dict[str, Any]) -> dict[str, Any]:
    instance = Instance(
        name=name,
        id=new_id(),
        created=cloud.clock(),
        number=cloud.free_number(),
        zone=request["availabilityZone"],
        blueprint=request["blueprintId"],
        bundle=request["bundleId"],
        ports=DEFAULT_PORTS,
        address_type=request.get("ipAddressType", "dualstack"),
        tags=read(request.get("tags", ())),
        image=str(cloud.images[request["blueprintId"]]),
    )
    return _begin(cloud, instance, "create", "CreateInstance")["operations"][0]  # type: ignore[no-any-return]  # JSON


def _begin(cloud: Cloud, instance: Instance, job: str, kind: str) -> dict[str, Any]:
    noted = cloud.record_operation(kind, instance)
    cloud.order_job(instance, job)
    return {"operations": [operation(cloud, noted)]}


def _in_state(cloud: Cloud, request: dict[str, Any], state: str) -> Instance:
    instance = cloud.instance(request["instanceName"])
    # The vendor refuses a change in the middle of another; a caller must wait, as with AWS.
    if instance.state != state or instance.job:
        raise failure(f"Instance {instance.name} is {instance.job or instance.state}, not {state}: wait until it is.")
    return instance


def _state(instance: Instance) -> dict[str, Any]:
    return {"code": STATES[instance.state], "name": instance.state}


def _described(cloud: Cloud, instance: Instance) -> dict[str, Any]:
    public = cloud.public_address(instance)
    return {
        **identity(cloud, instance),
        "tags": tags(instance.tags),
        "blueprintId": instance.blueprint,
        "blueprintName": BLUEPRINTS[instance.blueprint],
        "bundleId": instance.bundle,
        "isStaticIp": bool(public) and public != instance.address,
        "privateIpAddress": cloud.site.private_address(instance.number),
        **({"publicIpAddress": public} if public else {}),
        "ipv6Addresses": [],
        "ipAddressType": instance.address_type,
        "addOns": add_ons(instance),
        "hardware": _hardware(cloud, instance),
        "networking": {
            "monthlyTransfer": {"gbPerMonthAllocated": BUNDLES[instance.bundle]["transferPerMonthInGb"]},
            "ports": [info(port) for port in instance.ports],
        },
        "state": _state(instance),
        "username": USER,
    }


def _hardware(cloud: Cloud, instance: Instance) -> dict[str, Any]:
    bundle = BUNDLES[instance.bundle]
    disk = {
        "createdAt": instance.created,
        "location": location(cloud, instance.zone),
        "resourceType": "Disk",
        "sizeInGb": bundle["diskSizeInGb"],
        "isSystemDisk": True,
        "attachedTo": instance.name,
        "isAttached": True,
    }
    return {"cpuCount": bundle["cpuCount"], "ramSizeInGb": bundle["ramSizeInGb"], "disks": [disk]}
