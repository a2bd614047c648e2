import pytest

from doubles.lightsail.calls.ports import info, read
from doubles.lightsail.errors import AwsError
from doubles.lightsail.records import Port

SSH = {"fromPort": 22, "toPort": 22, "protocol": "tcp"}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (SSH, Port(22, 22, "tcp", ("0.0.0.0/0",), ("::/0",))),
        ({**SSH, "cidrs": ["192.0.2.7"]}, Port(22, 22, "tcp", ("192.0.2.7/32",), ())),
        ({**SSH, "ipv6Cidrs": ["2001:db8::/32"]}, Port(22, 22, "tcp", (), ("2001:db8::/32",))),
        ({**SSH, "cidrListAliases": ["lightsail-connect"]}, Port(22, 22, "tcp", (), (), ("lightsail-connect",))),
        ({"protocol": "all"}, Port(0, 65535, "all")),
        ({"protocol": "icmp", "fromPort": 8, "toPort": -1}, Port(8, -1, "icmp")),
    ],
)
def test_a_port_without_sources_is_open_to_all_and_with_them_to_them_alone(given, expected):
    assert read(given) == expected


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"fromPort": 22, "toPort": 22}, "protocol"),
        ({"protocol": "tcp", "fromPort": 22}, "toPort"),
        ({**SSH, "toPort": 21}, "no range"),
        ({**SSH, "fromPort": -1}, "no range"),
        ({**SSH, "cidrs": ["anywhere"]}, "anywhere"),
        ({**SSH, "cidrs": ["192.0.2.1/24"]}, "host bits"),
        ({**SSH, "cidrs": ["2001:db8::/32"]}, "IPv4 only"),
        ({**SSH, "cidrListAliases": ["friends"]}, "friends"),
        ({"protocol": "icmp", "fromPort": 8, "toPort": 256}, "code"),
    ],
)
def test_a_port_that_can_not_be_is_refused_by_what_is_wrong(given, named):
    with pytest.raises(AwsError, match=named) as refused:
        read(given)
    assert refused.value.code == "InvalidInputException"


@pytest.mark.parametrize(
    ("port", "source", "name"),
    [
        (Port(22, 22, "tcp"), "Anywhere (0.0.0.0/0 and ::/0)", "SSH"),
        (Port(443, 443, "tcp", ("0.0.0.0/0",), ()), "Anywhere (0.0.0.0/0)", "HTTPS"),
        (Port(22, 25, "tcp", ("192.0.2.0/24",), ()), "Custom", "Custom"),
    ],
)
def test_an_instance_tells_its_ports_with_source_and_name(port, source, name):
    told = info(port)
    assert (told["accessFrom"], told["commonName"], told["accessDirection"]) == (source, name, "inbound")
