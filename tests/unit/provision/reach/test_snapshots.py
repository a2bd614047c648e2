"""Snapshots as an operator reads them: all of an instance's, with what they cost at most, and none called there that is
not."""

from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError

from provision.commands.snapshots import as_data, lines
from provision.errors import CommandError
from provision.reach import snapshots

SUM = (
    "together at most $4.00 a month, and 1 automatic whose size Lightsail does not tell; "
    "$0.05 for each GB that is stored"
)
AT = datetime(2026, 5, 13, 3, 4, tzinfo=UTC)


class Lightsail:
    """What the calls answer: `states` of a snapshot made now, one for each look."""

    class meta:  # noqa: N801 - boto3's name
        endpoint_url = "https://lightsail.eu-west-1.amazonaws.com"

    def __init__(self, states=("available",), daily="03:00", pages=1):
        self.states, self.daily, self.pages, self.asked = [*states], daily, pages, []

    def get_instance(self, instanceName):  # noqa: N803
        if instanceName == "gone":
            raise ClientError({"Error": {"Code": "NotFoundException"}}, "GetInstance")
        add_ons = [{"name": "AutoSnapshot", "status": "Enabled", "snapshotTimeOfDay": self.daily}] if self.daily else []
        return {"instance": {"addOns": add_ons, "tags": [{"key": "project", "value": "jada"}]}}

    def get_auto_snapshots(self, resourceName):  # noqa: N803
        return {"autoSnapshots": [{"date": "2026-05-12", "createdAt": AT.replace(day=12), "status": "Success"}]}

    def create_instance_snapshot(self, **asked):
        self.asked.append(asked)

    def get_instance_snapshots(self, pageToken="0"):  # noqa: N803
        page = int(pageToken)
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        one = {"name": f"s{page}", "createdAt": AT, "state": state, "sizeInGb": 40, "fromInstanceName": "box"}
        others = {**one, "name": "x", "fromInstanceName": "another"}
        more = {"nextPageToken": str(page + 1)} if page + 1 < self.pages else {}
        return {"instanceSnapshots": [one, others] if state else [], **more}


def test_all_of_an_instances_are_listed_with_what_they_cost_at_most():
    found = snapshots.listed(Lightsail(pages=2), "box")
    assert list(lines("box", found)) == [
        "box: one is made each day from 03:00 UTC; the newest seven stay",
        f"{'s0':<40} 2026-05-13 03:04 UTC  available  by hand    40 GB, at most $2.00 a month",
        f"{'s1':<40} 2026-05-13 03:04 UTC  available  by hand    40 GB, at most $2.00 a month",
        f"{'2026-05-12':<40} 2026-05-12 03:04 UTC  Success    automatic  size not told",
        SUM,
    ]
    assert as_data("box", found)["snapshots"][0]["most_usd_a_month"] == 2.0


def test_where_none_is_made_by_itself_that_is_said():
    assert "none is made by itself" in next(lines("box", snapshots.listed(Lightsail(daily=""), "box")))


def test_one_is_there_when_lightsail_says_that_it_is_available_and_carries_the_stacks_tags():
    slept = []
    cloud = Lightsail(["pending", "pending", "available"])
    made = snapshots.make(cloud, "box", "s0", lambda: 0.0, slept.append)
    assert (made.state, len(slept)) == ("available", 2)
    assert cloud.asked[0]["tags"] == [{"key": "project", "value": "jada"}]


@pytest.mark.parametrize("states", [["pending", "error"], ["pending", ""]], ids=["failed", "gone"])
def test_one_that_failed_is_never_called_there(states):
    with pytest.raises(CommandError, match="failed"):
        snapshots.make(Lightsail(states), "box", "s0", lambda: 0.0, lambda _seconds: None)


def test_one_that_takes_too_long_goes_on_by_itself():
    clock = iter([0.0, 1.0, 4000.0])
    with pytest.raises(CommandError, match="still pending"):
        snapshots.make(Lightsail(["pending"]), "box", "s0", lambda: next(clock), lambda _seconds: None)


def test_an_instance_that_is_gone_is_told_as_such():
    with pytest.raises(CommandError, match="no instance gone"):
        snapshots.listed(Lightsail(), "gone")
