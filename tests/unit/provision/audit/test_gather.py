"""What is observed when the host or Lightsail does not answer: nothing is called well, and nothing ends the audit."""

from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from provision.audit import gather
from provision.audit.gather import Place
from provision.audit.judge import Verdict, judge
from provision.errors import CommandError
from provision.progress import Progress
from provision.reach.inventory import Host, Inventory
from provision.release.deploy import Source
from provision.settings import Settings
from provision.thresholds import Thresholds

NOW = datetime(2026, 5, 13, 18, 0, tzinfo=UTC)
HOST = Host(name="box", username="admin", address="192.0.2.7", private_address="10.0.0.7")


class Box:
    """A host that answers its check-up as it is told, and no probe."""

    name = "box"

    def __init__(self, answer):
        self.answer, self.asked = answer, []

    def program(self, name, argument):
        self.asked.append((name, argument))
        if name != "checkup" or isinstance(self.answer, Exception):
            raise CommandError("box: the connection broke", "run it again")
        return self.answer


class Lightsail:
    """An API that answers each call with what is given for it, or with an error."""

    def __init__(self, **answers):
        self.answers, self.asked = answers, []

    def __getattr__(self, name):
        def call(**request):
            self.asked.append((name, request))
            found = self.answers.get(name, EndpointConnectionError(endpoint_url="https://x"))
            if isinstance(found, Exception):
                raise found
            return found

        return call


def observed(tmp_path, answer, lightsail, cidrs=("203.0.113.7/32",)):
    inventory = Inventory(region="us-east-1", operator_cidrs=cidrs, hosts=(HOST,))
    source = Source(tmp_path, tmp_path / "jada.prod.toml", Settings(), "/run/queue.sock")
    place = Place("prod", inventory, lightsail, source, tmp_path / "doors")
    return gather.observe(Box(answer), place, Progress(aside=True), NOW)


def test_where_nothing_answers_every_row_is_not_known(tmp_path):
    seen = observed(tmp_path, CommandError("box: the connection broke", "run it again"), Lightsail())
    rows = judge(seen, Thresholds())
    assert {row.verdict for row in rows} == {Verdict.UNKNOWN}
    said = {row.name: row.said for row in rows}
    assert "the connection broke" in said["memory"]
    assert "does not answer" in said["CPU"]


def test_a_right_that_is_missing_is_said_and_takes_nothing_else_with_it(tmp_path):
    refused = ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "GetInstanceMetricData")
    lightsail = Lightsail(
        get_instance={"instance": {"state": {"name": "running"}}},
        get_instance_port_states={"portStates": []},
        get_instance_metric_data=refused,
    )
    rows = {row.name: row for row in judge(observed(tmp_path, {}, lightsail), Thresholds())}
    assert rows["instance"].verdict is Verdict.OK
    assert "refused access" in rows["CPU"].said


def test_each_metric_is_asked_for_at_its_own_granularity_over_two_hours(tmp_path):
    points = [
        {"timestamp": NOW, "average": 2.0, "maximum": 3.0},
        {"timestamp": NOW.replace(hour=17), "average": 1.0, "maximum": 1.0},
    ]
    lightsail = Lightsail(get_instance_metric_data={"metricData": points})
    seen = observed(tmp_path, {}, lightsail)
    asked = {request["metricName"]: request for name, request in lightsail.asked if name == "get_instance_metric_data"}
    assert {name: request["period"] for name, request in asked.items()} == {
        "CPUUtilization": 300, "BurstCapacityPercentage": 300, "NetworkIn": 300, "NetworkOut": 300,
        "StatusCheckFailed": 60, "StatusCheckFailed_Instance": 60, "StatusCheckFailed_System": 60,
    }  # fmt: skip
    assert {request["endTime"] - request["startTime"] for request in asked.values()} == {gather.SPAN}
    # The API answers in any order.
    assert [point.average for point in seen.metric("CPUUtilization")] == [1.0, 2.0]


@pytest.mark.parametrize(
    ("part", "why"),
    [
        ({"unknown": "no room"}, "no room"),
        ({}, "the host did not say"),
        ({"seen": {"well": "very"}}, "the queue's answer can't be read"),
    ],
)
def test_a_part_that_the_host_could_not_look_at_says_why(tmp_path, part, why):
    seen = observed(tmp_path, {"wellness": part}, Lightsail())
    assert why in seen.parts["wellness"].unknown


def test_a_stack_from_before_operators_were_exported_says_so(tmp_path):
    assert "pulumi up" in observed(tmp_path, {}, Lightsail(), cidrs=None).cidrs.unknown
