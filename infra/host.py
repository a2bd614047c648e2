"""A host: the instance and the address that stays when the instance goes."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.settings import Settings


@dataclass(frozen=True, slots=True)
class Host:
    """A host's resources; `address` is where operators reach it."""

    name: str
    instance: aws.lightsail.Instance
    address: pulumi.Output[str]

    def entry(self) -> dict[str, pulumi.Input[str]]:
        """Return this host's line in the inventory."""
        return {
            "name": self.name,
            "username": self.instance.username,
            "address": self.address,
            "private_address": self.instance.private_ip_address,
        }


def make(name: str, settings: Settings, provider: aws.Provider) -> Host:
    """Declare a host. It has no user data: that is never read back, readable inside by every user, and replaces."""
    kept = pulumi.ResourceOptions(provider=provider, protect=settings.protect)
    instance = aws.lightsail.Instance(
        name,
        name=name,
        availability_zone=settings.availability_zone,
        blueprint_id=settings.blueprint,
        bundle_id=settings.bundle,
        ip_address_type=settings.ip_address_type,
        add_on=_snapshots(settings),
        tags=dict(settings.tags),
        opts=kept,
    )
    if not settings.static_ip:
        return Host(name, instance, instance.public_ip_address)
    static_ip = aws.lightsail.StaticIp(f"{name}-ip", name=f"{name}-ip", opts=kept)
    aws.lightsail.StaticIpAttachment(
        f"{name}-ip",
        static_ip_name=static_ip.name,
        instance_name=instance.name,
        opts=pulumi.ResourceOptions(provider=provider),
    )
    return Host(name, instance, static_ip.ip_address)


def _snapshots(settings: Settings) -> aws.lightsail.InstanceAddOnArgs | None:
    """The add-on that makes a snapshot each day, switched in place; without one none is left to disable."""
    if not settings.snapshot_time:
        return None
    return aws.lightsail.InstanceAddOnArgs(type="AutoSnapshot", snapshot_time=settings.snapshot_time, status="Enabled")
