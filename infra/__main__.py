"""The program that `pulumi up` runs: settings → provider → hosts, each behind its firewall → inventory."""

import os
from typing import Any

import pulumi
import pulumi_aws as aws

from infra import firewall, host, settings, shell, table


def build(chosen: settings.Settings) -> None:
    """Declare everything, and export `inventory`: {region, endpoint, bundle, operator_cidrs, hosts: [{name, …}]}, and
    the `table` where there is one.
    """
    provider = _provider(chosen)
    hosts = [host.make(name, chosen, provider) for name in chosen.hosts]
    for each in hosts:
        firewall.allow_operators(each.name, each.instance, chosen, provider)
    inventory: dict[str, Any] = {
        "region": chosen.region,
        "endpoint": chosen.endpoint,
        "bundle": chosen.bundle,
        # What may stay in the firewall: `fab` takes out every other address that it finds there.
        "operator_cidrs": [*chosen.operator_cidrs, *chosen.operator_ipv6_cidrs],
        "hosts": [each.entry() for each in hosts],
    }
    if chosen.table:
        inventory["table"] = table.make(chosen.table, chosen, provider)
    pulumi.export("inventory", inventory)


def _provider(chosen: settings.Settings) -> aws.Provider:
    if chosen.endpoint is None:
        return aws.Provider("aws", region=chosen.region)
    return aws.Provider(
        "aws",
        region=chosen.region,
        endpoints=[aws.ProviderEndpointArgs(lightsail=chosen.endpoint, dynamodb=chosen.table_endpoint)],
        # Each of these would call AWS itself.
        skip_credentials_validation=True,
        skip_metadata_api_check=True,
        skip_region_validation=True,
        skip_requesting_account_id=True,
    )


def _settings() -> settings.Settings:
    config = {**pulumi.runtime.config.get_config_env(), **pulumi.runtime.config.CONFIG.get()}
    try:
        shell.require_folder_of_the_shell(pulumi.get_stack(), pulumi.get_root_directory(), os.environ)
        return settings.read(pulumi.get_stack(), config, os.environ)
    except (shell.OtherFolder, settings.InvalidSetting) as error:
        # Pulumi shows a RunError's message, and for any other exception a traceback.
        raise pulumi.RunError(str(error)) from None


if __name__ == "__main__":
    build(_settings())
