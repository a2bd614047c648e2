"""A firewall as Lightsail's API has it, in memory; `meanwhile` acts after a Put, as another operator does."""

from types import SimpleNamespace

from botocore.exceptions import ClientError


class PortsApi:
    """GetInstancePortStates and PutInstancePublicPorts of one instance; Open is not there, for nobody may call it."""

    def __init__(self, *ports):
        self.ports = list(ports)
        self.puts = 0
        self.refuses = False
        self.meanwhile = lambda: None
        self.meta = SimpleNamespace(endpoint_url="https://lightsail.us-east-1.amazonaws.com")

    def get_instance_port_states(self, instanceName):  # noqa: N803 - as the API spells it
        return {"portStates": [{"state": "open", **port} for port in self.ports]}

    def put_instance_public_ports(self, instanceName, portInfos):  # noqa: N803 - as the API spells it
        if self.refuses:
            raise ClientError({"Error": {"Code": "AccessDeniedException"}}, "PutInstancePublicPorts")
        self.puts += 1
        self.ports = [dict(port) for port in portInfos]
        meanwhile, self.meanwhile = self.meanwhile, lambda: None
        meanwhile()

    def ssh(self):
        return sorted(cidr for port in self.ports if port["fromPort"] == 22 for cidr in port.get("cidrs", ()))


def ssh(*cidrs, **more):
    return {"fromPort": 22, "toPort": 22, "protocol": "tcp", "cidrs": list(cidrs), **more}
