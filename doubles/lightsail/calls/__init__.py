"""The calls of the API, by subject. Each takes the cloud and a checked request and returns the response as data."""

from collections.abc import Callable, Mapping
from typing import Any

from doubles.lightsail.calls import addresses, instances, metrics, operations, ports, snapshots, tags
from doubles.lightsail.cloud import Cloud

CALLS: Mapping[str, Callable[[Cloud, dict[str, Any]], dict[str, Any]]] = {
    "CreateInstances": instances.create_instances,
    "GetInstance": instances.get_instance,
    "GetInstances": instances.get_instances,
    "GetInstanceState": instances.get_instance_state,
    "StartInstance": instances.start_instance,
    "StopInstance": instances.stop_instance,
    "RebootInstance": instances.reboot_instance,
    "DeleteInstance": instances.delete_instance,
    "GetInstanceAccessDetails": instances.get_instance_access_details,
    "GetInstanceMetricData": metrics.get_instance_metric_data,
    "PutInstancePublicPorts": ports.put_instance_public_ports,
    "OpenInstancePublicPorts": ports.open_instance_public_ports,
    "CloseInstancePublicPorts": ports.close_instance_public_ports,
    "GetInstancePortStates": ports.get_instance_port_states,
    "AllocateStaticIp": addresses.allocate_static_ip,
    "AttachStaticIp": addresses.attach_static_ip,
    "DetachStaticIp": addresses.detach_static_ip,
    "ReleaseStaticIp": addresses.release_static_ip,
    "GetStaticIp": addresses.get_static_ip,
    "GetStaticIps": addresses.get_static_ips,
    "GetOperation": operations.get_operation,
    "GetOperations": operations.get_operations,
    "EnableAddOn": snapshots.enable_add_on,
    "DisableAddOn": snapshots.disable_add_on,
    "GetAutoSnapshots": snapshots.get_auto_snapshots,
    "CreateInstanceSnapshot": snapshots.create_instance_snapshot,
    "GetInstanceSnapshots": snapshots.get_instance_snapshots,
    "TagResource": tags.tag_resource,
    "UntagResource": tags.untag_resource,
}
"""What is built, by the vendor's names; everything else that the vendor knows answers 501."""
