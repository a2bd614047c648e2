"""Pulumi's AWS provider for this machine: `aws:lightsail/*`, and tables, at endpoints of the provider's configuration.

It answers the engine as the real one does (its rules are in `rules`, its calls in `resources`), for stack `local` and
an endpoint on this machine only; its credentials are made up, so that AWS could answer no stray call.
"""
# ruff: noqa: N802 - the methods have gRPC's names

import importlib.metadata
import json
from collections.abc import Callable, Mapping
from typing import Any

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc
from pulumi.runtime.rpc import UNKNOWN

from local.pulumi import plugin, replies, resources, rules, tables

EXECUTABLE = "pulumi-resource-aws"
VERSION = importlib.metadata.version("pulumi_aws")
"""The release of the real provider that the program was written for; the engine compares."""
# What only AWS can say, by type: unknown while a preview has yet to create it.
COMPUTED = {
    rules.INSTANCE: "arn createdAt cpuCount ramSize isStaticIp privateIpAddress publicIpAddress ipv6Addresses username",
    rules.STATIC_IP: "arn ipAddress supportCode",
    rules.ATTACHMENT: "ipAddress",
    rules.TABLE: "arn",
}
DEFAULT_REGION = "us-east-1"
NOWHERE = "http://127.0.0.1:1"


class Unknown(Exception):
    """A type of resource that this provider does not build."""


def answering(method: Callable[..., Any]) -> Callable[..., Any]:
    """Refuse what is not of stack local before a call, and tell the engine in one sentence what went wrong in it."""

    def answer(provider: "Provider", request: Any, context: Any) -> Any:
        try:
            if request.urn:  # an engine may configure without one
                plugin.require_local_stack(EXECUTABLE, request.urn)
            return method(provider, request)
        except resources.Unfinished as unfinished:
            return replies.abort_unfinished(context, unfinished)
        except EndpointConnectionError as error:
            return replies.abort(context, f"{error}: the local cloud does not run; `make demo` starts it")
        except (plugin.WrongStack, Unknown, ClientError, BotoCoreError, ValueError) as error:
            return replies.abort(context, f"{error}")

    return answer


class Provider(provider_pb2_grpc.ResourceProviderServicer):
    """The engine's calls, in its order: configuration, then check, diff and one change for each resource."""

    def __init__(self) -> None:
        self._config: Mapping[str, Any] = {}
        self._built: dict[str, Mapping[str, resources.Resource]] = {}

    def GetPluginInfo(self, _request: Any, _context: Any) -> plugin_pb2.PluginInfo:
        """Tell the version."""
        return plugin_pb2.PluginInfo(version=VERSION)

    @answering
    def CheckConfig(self, request: Any) -> provider_pb2.CheckResponse:
        """Refuse a configuration that leads to AWS."""
        fault = rules.endpoint_fault(_config(request.news))
        faults = {"endpoints": fault} if fault else {}
        return provider_pb2.CheckResponse(inputs=request.news, failures=replies.failures(faults))

    @answering
    def DiffConfig(self, request: Any) -> provider_pb2.DiffResponse:
        """Let any change of the configuration take effect in place."""
        same = replies.plain(request.olds) == replies.plain(request.news)
        return provider_pb2.DiffResponse(changes=replies.NONE if same else replies.SOME)

    @answering
    def Configure(self, request: Any) -> provider_pb2.ConfigureResponse:
        """Connect to the endpoint; a state may hold a configuration that `CheckConfig` never saw."""
        config = _config(request.args)
        if fault := rules.endpoint_fault(config):
            raise ValueError(f"endpoints {fault}")
        self._config, self._built = config, {}
        return provider_pb2.ConfigureResponse(supportsPreview=True)

    @answering
    def Check(self, request: Any) -> provider_pb2.CheckResponse:
        """Add defaults, and name what is missing or not built."""
        token = _token(request.urn)
        inputs = rules.with_defaults(token, replies.plain(request.news))
        failures = replies.failures(rules.faults(token, inputs))
        return provider_pb2.CheckResponse(inputs=replies.struct(inputs), failures=failures)

    @answering
    def Diff(self, request: Any) -> provider_pb2.DiffResponse:
        """Tell what changes, and whether that replaces."""
        old, new = replies.plain(request.old_inputs), replies.plain(request.news)
        return replies.diff(rules.change(_token(request.urn), old, new), old, new)

    @answering
    def Create(self, request: Any) -> provider_pb2.CreateResponse:
        """Make a resource, or in a preview foretell it."""
        token, inputs = _token(request.urn), replies.plain(request.properties)
        if request.preview:
            foretold = self._placed(inputs) | dict.fromkeys(COMPUTED.get(token, "").split(), UNKNOWN)
            return provider_pb2.CreateResponse(properties=replies.struct(foretold))
        resource_id = self._resource(token, inputs).create(inputs)
        return provider_pb2.CreateResponse(id=resource_id, properties=self._outputs(token, resource_id, inputs))

    @answering
    def Read(self, request: Any) -> provider_pb2.ReadResponse:
        """Read a resource for a refresh or an import; what is gone has no id."""
        known = replies.plain(request.inputs)
        # A state of before v7 has no region; one that was given stays an input.
        placed = {**replies.plain(request.properties), **known}
        found = self._resource(_token(request.urn), placed).read(request.id, known)
        if found is None:
            return provider_pb2.ReadResponse()
        given = {rules.REGION: known[rules.REGION]} if known.get(rules.REGION) else {}
        inputs = replies.struct(found.inputs | given)
        properties = replies.struct(found.outputs | {rules.REGION: self._region(placed)})
        return provider_pb2.ReadResponse(id=found.resource_id, inputs=inputs, properties=properties)

    @answering
    def Update(self, request: Any) -> provider_pb2.UpdateResponse:
        """Change an instance in place; every other type's changes replace."""
        token, new = _token(request.urn), replies.plain(request.news)
        if request.preview:
            return provider_pb2.UpdateResponse(properties=replies.struct(replies.plain(request.olds) | new))
        resource = self._resource(token, new)
        if isinstance(resource, resources.Instance):
            resource.update(request.id, replies.plain(request.old_inputs), new)
        return provider_pb2.UpdateResponse(properties=self._outputs(token, request.id, new))

    @answering
    def Delete(self, request: Any) -> Any:
        """Remove a resource."""
        was = replies.plain(request.properties)
        self._resource(_token(request.urn), was).delete(request.id, was)
        return replies.EMPTY

    def Cancel(self, _request: Any, _context: Any) -> Any:
        """Let what is under way finish: it is the state that would be wrong otherwise."""
        return replies.EMPTY

    def _outputs(self, token: str, resource_id: str, inputs: rules.Properties) -> Any:
        found = self._resource(token, inputs).read(resource_id, inputs)
        if found is None:
            raise ValueError(f"{resource_id} was made, and is gone: it was deleted meanwhile; run this again")
        return replies.struct(self._placed(found.outputs | {rules.REGION: inputs.get(rules.REGION)}))

    def _region(self, properties: rules.Properties) -> str:
        """Where a resource is: as it says, or where the provider is."""
        return str(properties.get(rules.REGION) or self._config.get(rules.REGION) or DEFAULT_REGION)

    def _placed(self, properties: rules.Properties) -> dict[str, Any]:
        return {**properties, rules.REGION: self._region(properties)}

    def _resource(self, token: str, properties: rules.Properties) -> resources.Resource:
        """The resource's type in its own region, each of which has a client of its own."""
        region = self._region(properties)
        if region not in self._built:
            polling = resources.Polling()
            self._built[region] = {
                **resources.all_resources(_client("lightsail", self._config, region), polling),
                rules.TABLE: tables.Table(_client("dynamodb", self._config, region), polling),
            }
        return self._built[region][token]


def main() -> None:
    """Serve the engine that started this process."""
    plugin.serve(lambda server: provider_pb2_grpc.add_ResourceProviderServicer_to_server(Provider(), server))


def _token(urn: str) -> str:
    token = urn.split("::")[2].rpartition("$")[2]
    if token not in rules.KINDS:
        raise Unknown(f"{token} is not built into the local cloud; it has {', '.join(rules.KINDS)}")
    return token


def _config(struct: Any) -> dict[str, Any]:
    """Return a provider's configuration; the engine carries what isn't text as JSON."""
    config = replies.plain(struct)
    return {**config, "endpoints": json.loads(config.get("endpoints", "[]"))}


def _client(service: str, config: Mapping[str, Any], region: str) -> Any:
    # Not boto3's: it imports how files go to S3.
    return botocore.session.get_session().create_client(
        service,
        region_name=region,
        # Without an endpoint in the configuration it is one at which nothing listens: AWS is never called.
        endpoint_url=rules.endpoint(config, service) or NOWHERE,
        aws_access_key_id="local",
        aws_secret_access_key="local",
        config=Config(connect_timeout=3, read_timeout=60, retries={"mode": "standard", "total_max_attempts": 3}),
    )


if __name__ == "__main__":
    main()
