import pytest

from doubles.lightsail import contract
from doubles.lightsail.errors import AwsError

GET = contract.operation("Lightsail_20161128.GetInstanceAccessDetails")


@pytest.mark.parametrize("target", ["", "GetInstance", "Lightsail_20161128.", "Lightsail_20161128.GetWeather"])
def test_a_call_the_vendor_does_not_have_is_unknown(target):
    with pytest.raises(AwsError) as refused:
        contract.operation(target)
    assert refused.value.code == "UnknownOperationException"


@pytest.mark.parametrize(
    ("params", "named"),
    [
        ({}, "instanceName"),
        ({"instanceName": "box", "colour": "red"}, "colour"),
        ({"instanceName": "box", "protocol": "telnet"}, "protocol"),
        ({"instanceName": "!"}, "instanceName"),
        ([], "valid types"),
        (None, "valid types"),
    ],
)
def test_input_against_the_contract_is_refused_by_name(params, named):
    with pytest.raises(AwsError, match=named):
        contract.check_input(GET, params)


def test_input_the_contract_allows_passes():
    params = {"instanceName": "box", "protocol": "ssh"}
    assert contract.check_input(GET, params) == params


def test_numbers_are_held_to_their_bounds():
    open_ports = contract.operation("Lightsail_20161128.OpenInstancePublicPorts")
    for port in (-2, 65536):
        with pytest.raises(AwsError, match="fromPort"):
            contract.check_input(open_ports, {"instanceName": "box", "portInfo": {"fromPort": port}})


def test_our_own_answers_are_held_to_it_too():
    contract.check_output(GET, {"accessDetails": {"username": "admin", "expiresAt": 1.5}})
    with pytest.raises(ValueError, match="userName"):
        contract.check_output(GET, {"accessDetails": {"userName": "admin"}})
