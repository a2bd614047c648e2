"""The seam to the operator's tools: what the stack exports, to the letter."""


def test_the_inventory_names_region_endpoint_and_each_host(declare):
    assert declare("local").outputs == {
        "inventory": {
            "region": "eu-west-1",
            "endpoint": "http://10.77.0.1:8700",
            "bundle": "micro_3_0",
            "operator_cidrs": ["203.0.113.7/32"],
            "hosts": [
                {
                    "name": "jada-orchestrator",
                    "username": "admin",
                    "address": "192.0.2.99",
                    "private_address": "172.26.0.1",
                }
            ],
        }
    }


def test_a_real_stack_has_no_endpoint(declare):
    assert declare("prod").outputs["inventory"].get("endpoint") is None


def test_without_a_static_ip_the_address_is_the_instances_own(declare):
    (host,) = declare("prod", static_ip="false").outputs["inventory"]["hosts"]
    assert host["address"] == "192.0.2.1"
