"""The provider as the engine calls it: over gRPC, property bags and all."""

from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from google.protobuf.struct_pb2 import Struct
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc, status_pb2
from pulumi.runtime.rpc import UNKNOWN

from local.pulumi import replies
from local.pulumi.provider import Provider
from local.pulumi.resources import Found, Unfinished

URN = "urn:pulumi:{stack}::jada::{token}::box"
STATIC_IP = URN.format(stack="local", token="aws:lightsail/staticIp:StaticIp")
INSTANCE = URN.format(stack="local", token="aws:lightsail/instance:Instance")
# Nobody listens on loopback's port 1.
CONFIG = {"region": "us-east-1", "endpoints": '[{"lightsail": "http://127.0.0.1:1"}]'}


class StartsNeverUp:
    """A resource whose creation leaves something behind."""

    def create(self, inputs):
        raise Unfinished("box", "box does not run after 600 s; it is pending")


@pytest.fixture
def served():
    """A provider and a stub that calls it."""
    provider, server = Provider(), grpc.server(ThreadPoolExecutor(2))
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(provider, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield provider, provider_pb2_grpc.ResourceProviderStub(channel)
    server.stop(grace=None)


@pytest.fixture
def engine(served):
    return served[1]


def bag(**properties) -> Struct:
    return replies.struct(properties)


CALLS = [
    ("CheckConfig", provider_pb2.CheckRequest),
    ("DiffConfig", provider_pb2.DiffRequest),
    ("Configure", provider_pb2.ConfigureRequest),
    ("Check", provider_pb2.CheckRequest),
    ("Diff", provider_pb2.DiffRequest),
    ("Create", provider_pb2.CreateRequest),
    ("Read", provider_pb2.ReadRequest),
    ("Update", provider_pb2.UpdateRequest),
    ("Delete", provider_pb2.DeleteRequest),
]


@pytest.mark.parametrize(("call", "request_type"), CALLS)
def test_every_call_for_another_stack_is_refused_by_name_with_a_cure(engine, call, request_type):
    urn = URN.format(stack="prod", token="aws:lightsail/instance:Instance")
    with pytest.raises(grpc.RpcError, match="serves only stack 'local', and this is 'prod': nothing was done; run it"):
        getattr(engine, call)(request_type(urn=urn))


def test_a_provider_configuration_without_a_local_endpoint_is_refused(engine):
    urn = URN.format(stack="local", token="pulumi:providers:aws")
    answer = engine.CheckConfig(provider_pb2.CheckRequest(urn=urn, news=bag(region="us-east-1")))
    assert [failure.property for failure in answer.failures] == ["endpoints"]


def test_a_configuration_from_a_state_is_refused_as_well(engine):
    aws = '[{"lightsail": "https://lightsail.us-east-1.amazonaws.com"}]'
    with pytest.raises(grpc.RpcError, match="is not on this machine: the local provider never calls AWS"):
        engine.Configure(provider_pb2.ConfigureRequest(args=bag(endpoints=aws)))


def test_a_type_that_is_not_built_is_refused_and_those_that_are_named(engine):
    urn = URN.format(stack="local", token="aws:s3/bucket:Bucket")
    with pytest.raises(
        grpc.RpcError, match=r"aws:s3/bucket:Bucket is not built into the local cloud; it has aws:light"
    ):
        engine.Check(provider_pb2.CheckRequest(urn=urn))


def test_missing_inputs_are_named_by_check(engine):
    answer = engine.Check(provider_pb2.CheckRequest(urn=STATIC_IP, news=bag()))
    assert [(f.property, f.reason) for f in answer.failures] == [("name", "is required, and missing")]


def test_a_replacing_change_is_reported_property_by_property(engine):
    old, new = bag(name="box", bundleId="micro_3_0"), bag(name="box", bundleId="small_3_0")
    answer = engine.Diff(provider_pb2.DiffRequest(urn=INSTANCE, old_inputs=old, news=new))
    assert answer.changes == provider_pb2.DiffResponse.DIFF_SOME
    assert (list(answer.replaces), answer.deleteBeforeReplace) == (["bundleId"], True)
    assert answer.detailedDiff["bundleId"].kind == provider_pb2.PropertyDiff.UPDATE_REPLACE


def test_no_change_is_reported_as_such(engine):
    same = provider_pb2.DiffRequest(urn=INSTANCE, old_inputs=bag(name="box"), news=bag(name="box"))
    assert engine.Diff(same).changes == provider_pb2.DiffResponse.DIFF_NONE


def test_a_preview_foretells_without_a_call_what_aws_alone_will_know(engine):
    engine.Configure(provider_pb2.ConfigureRequest(args=bag(**CONFIG)))
    answer = engine.Create(provider_pb2.CreateRequest(urn=STATIC_IP, properties=bag(name="ip"), preview=True))
    assert replies.plain(answer.properties) == {
        "name": "ip",
        "region": "us-east-1",
        "arn": UNKNOWN,
        "ipAddress": UNKNOWN,
        "supportCode": UNKNOWN,
    }


def test_a_cloud_that_does_not_answer_is_named_with_its_cure(engine):
    engine.Configure(provider_pb2.ConfigureRequest(args=bag(**CONFIG)))
    with pytest.raises(
        grpc.RpcError, match=r"http://127.0.0.1:1/.*the local cloud does not run; `make demo` starts it"
    ):
        engine.Create(provider_pb2.CreateRequest(urn=STATIC_IP, properties=bag(name="ip")))


def test_what_exists_but_is_not_ready_is_handed_to_the_engine_with_its_id(served):
    provider, engine = served
    provider._built = {"us-east-1": {"aws:lightsail/instance:Instance": StartsNeverUp()}}
    with pytest.raises(grpc.RpcError) as failed:
        engine.Create(provider_pb2.CreateRequest(urn=INSTANCE, properties=bag(name="box")))
    status, unfinished = status_pb2.Status(), provider_pb2.ErrorResourceInitFailed()
    status.ParseFromString(dict(failed.value.trailing_metadata())["grpc-status-details-bin"])
    status.details[0].Unpack(unfinished)
    assert (unfinished.id, list(unfinished.reasons)) == ("box", ["box does not run after 600 s; it is pending"])


def test_whole_numbers_come_off_the_wire_as_such():
    found = replies.plain(bag(port=22, list=[{"port": 22}], share=0.5))
    assert [type(value) for value in (found["port"], found["list"][0]["port"], found["share"])] == [int, int, float]


class Remembers:
    """Resources of one region: what is made there is found there."""

    def __init__(self):
        self.made = {}

    def create(self, inputs):
        self.made[inputs["name"]] = inputs
        return inputs["name"]

    def read(self, resource_id, known):
        inputs = {key: value for key, value in known.items() if key != "region"}
        return Found(resource_id, inputs, inputs) if resource_id in self.made else None

    def delete(self, resource_id, _inputs):
        del self.made[resource_id]


@pytest.fixture
def regions(served):
    """Two regions of a provider that is in the first one."""
    provider, engine = served
    engine.Configure(provider_pb2.ConfigureRequest(args=bag(**CONFIG)))
    token = "aws:lightsail/staticIp:StaticIp"
    found = {"us-east-1": Remembers(), "eu-west-1": Remembers()}
    provider._built = {region: {token: kind} for region, kind in found.items()}
    return engine, found


def test_a_resource_is_in_the_providers_region_and_says_so(regions):
    engine, found = regions
    made = engine.Create(provider_pb2.CreateRequest(urn=STATIC_IP, properties=bag(name="ip")))
    assert replies.plain(made.properties) == {"name": "ip", "region": "us-east-1"}
    assert list(found["us-east-1"].made) == ["ip"]


def test_a_resource_with_a_region_of_its_own_is_made_read_and_deleted_there(regions):
    engine, found = regions
    there = bag(name="ip", region="eu-west-1")
    made = engine.Create(provider_pb2.CreateRequest(urn=STATIC_IP, properties=there))
    assert replies.plain(made.properties) == {"name": "ip", "region": "eu-west-1"}
    read = engine.Read(provider_pb2.ReadRequest(urn=STATIC_IP, id="ip", inputs=there, properties=made.properties))
    assert replies.plain(read.inputs) == {"name": "ip", "region": "eu-west-1"}
    engine.Delete(provider_pb2.DeleteRequest(urn=STATIC_IP, id="ip", properties=made.properties))
    assert (found["eu-west-1"].made, found["us-east-1"].made) == ({}, {})


def test_a_state_from_before_regions_is_read_where_the_provider_is(regions):
    engine, _ = regions
    engine.Create(provider_pb2.CreateRequest(urn=STATIC_IP, properties=bag(name="ip")))
    read = engine.Read(
        provider_pb2.ReadRequest(urn=STATIC_IP, id="ip", inputs=bag(name="ip"), properties=bag(name="ip"))
    )
    assert replies.plain(read.inputs) == {"name": "ip"}
    assert replies.plain(read.properties) == {"name": "ip", "region": "us-east-1"}
