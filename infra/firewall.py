"""The firewall of a host: SSH from the operators' addresses, and nothing else."""

import pulumi
import pulumi_aws as aws

from infra.settings import Settings

SSH = 22


def port_info(settings: Settings) -> aws.lightsail.InstancePublicPortsPortInfoArgs:
    """Return the one opening; the IPv6 side is written out wherever a host has one, as AWS opens it otherwise."""
    return aws.lightsail.InstancePublicPortsPortInfoArgs(
        from_port=SSH,
        to_port=SSH,
        protocol="tcp",
        cidrs=list(settings.operator_cidrs),
        ipv6_cidrs=list(settings.operator_ipv6_cidrs) or None,
    )


def allow_operators(name: str, instance: aws.lightsail.Instance, settings: Settings, provider: aws.Provider) -> None:
    """Let only the operators reach a host, and only its SSH.

    Any edit replaces this resource: Put of the new ports, then Close of the old ones, which shuts what both share
    (pulumi-aws#1511). Retained on delete, an edit is a single Put, which closes what it omits. It has to be
    retained from the first `up`: the state, not the program, decides how the old one goes.
    """
    aws.lightsail.InstancePublicPorts(
        f"{name}-ports",
        instance_name=instance.name,
        port_infos=[port_info(settings)],
        opts=pulumi.ResourceOptions(provider=provider, retain_on_delete=True),
    )
