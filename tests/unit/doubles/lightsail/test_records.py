import pytest

from doubles.lightsail.records import STATES, Instance

BOX = ("box", "id", 0.0, 1, "us-east-1a", "debian_12", "micro_3_0", ())


@pytest.mark.parametrize(
    ("job", "up", "state"),
    [
        ("create", True, "pending"),
        ("start", True, "pending"),
        ("", True, "running"),
        ("reboot", True, "running"),
        ("stop", False, "stopping"),
        ("", False, "stopped"),
        ("delete", False, "shutting-down"),
    ],
)
def test_an_instances_state_follows_from_what_should_be_and_what_is_done(job, up, state):
    assert Instance(*BOX, up=up, job=job).state == state
    assert state in STATES
