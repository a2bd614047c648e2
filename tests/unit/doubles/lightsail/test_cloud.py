import dataclasses
from pathlib import Path

import pytest

from doubles.lightsail.access import Authority, new_key
from doubles.lightsail.claim import Claim
from doubles.lightsail.cloud import LAST, Cloud
from doubles.lightsail.errors import AwsError
from doubles.lightsail.records import Instance, Port, StaticIp
from doubles.lightsail.store import Store
from local.site import Site

BOX = Instance(
    "box", "id", 0.0, 1, "us-east-1a", "debian_12", "micro_3_0", (Port(22, 22, "tcp"),), address="10.78.200.9",
    image="/image",
)  # fmt: skip
FIXED = StaticIp("fixed", "id", 0.0, "10.78.200.5", attached="box")


@pytest.fixture(scope="module")
def key():
    return new_key()


@pytest.fixture
def cloud(tmp_path, key):
    store = Store(tmp_path / "store.sqlite")
    site = Site("jadau", 78, tmp_path)
    yield Cloud(site, {"debian_12": Path("/other-image")}, "us-east-1", store, Authority(key), Claim(), lambda: 100.0)
    store.close()


@pytest.mark.parametrize("name", ["b", "-box", "box-", "my box", "../etc", "", "x" * 256, "bö"])
def test_what_is_no_name_is_refused(cloud, name):
    with pytest.raises(AwsError, match="is no name"):
        cloud.require_free_name(name)


def test_a_name_is_free_until_a_resource_of_any_kind_has_it(cloud):
    cloud.require_free_name("fixed")
    cloud.store.put(FIXED)
    with pytest.raises(AwsError, match="in use"):
        cloud.require_free_name("fixed")


def test_a_static_ip_goes_before_an_instances_own_address(cloud):
    cloud.store.put(BOX)
    assert cloud.public_address(BOX) == "10.78.200.9"
    cloud.store.put(FIXED)
    assert cloud.public_address(BOX) == "10.78.200.5"


def test_an_address_given_back_is_not_soon_given_again(cloud):
    assert [cloud.free_address() for _ in range(3)] == ["10.78.200.1", "10.78.200.2", "10.78.200.3"]
    cloud.store.put(dataclasses.replace(BOX, address="10.78.200.4"))
    assert cloud.free_address() == "10.78.200.5"


def test_when_all_places_are_taken_it_is_said(cloud):
    for number in range(1, LAST + 1):
        cloud.store.put(dataclasses.replace(BOX, name=f"box-{number}", number=number))
    with pytest.raises(AwsError, match="All 250 places"):
        cloud.free_number()


def test_a_start_gives_an_address_and_a_stop_leaves_it_until_it_is_done(cloud):
    cloud.store.put(dataclasses.replace(BOX, address="", up=False))
    cloud.order_job(cloud.instance("box"), "start")
    started = cloud.instance("box")
    assert (started.state, started.address) == ("pending", "10.78.200.1")
    cloud.order_job(started, "stop")
    assert (cloud.instance("box").state, cloud.instance("box").address) == ("stopping", "10.78.200.1")


def test_a_start_with_a_static_ip_needs_no_other_address(cloud):
    cloud.store.put(dataclasses.replace(BOX, address="", up=False))
    cloud.store.put(FIXED)
    cloud.order_job(cloud.instance("box"), "start")
    assert cloud.instance("box").address == ""


def test_a_host_has_its_bundles_memory_and_the_image_it_was_made_from(cloud, tmp_path):
    machine = cloud.machine(BOX)
    assert (machine.memory, machine.image, machine.folder) == (1 << 30, Path("/image"), tmp_path / "hosts" / "box")


def test_a_host_becomes_who_its_address_and_authority_say(cloud):
    identity = cloud.identity(BOX)
    assert (identity.hostname, identity.address) == ("ip-10-78-1-1", "10.78.1.1")
    assert identity.authority == cloud.authority.public


def test_an_operation_notes_what_when_and_where(cloud):
    noted = cloud.record_operation("StartInstance", BOX)
    assert (noted.resource, noted.resource_type, noted.zone) == ("box", "Instance", "us-east-1a")
    assert (noted.status, noted.created, noted.changed) == ("Started", 100.0, 100.0)
    assert cloud.store.all(type(noted)) == [noted]
