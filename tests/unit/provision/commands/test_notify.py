"""`fab notify`: what each target answered, and what the settings and the secret do not have in common."""

import json

import pytest

from provision.commands import notify
from provision.errors import CommandError

TOOK = {"target": "mail", "delivered": True, "answer": "accepted"}
REFUSED = {"target": "chat", "delivered": False, "answer": "refused with status 403"}


class Box:
    """A host that has these secrets, and whose test says so."""

    name = "box"

    def __init__(self, secrets, results=(), error=None):
        self.secrets, self.results, self.error, self.commands = secrets, results, error, []

    def program(self, _name, _order):
        return {"held": self.secrets}

    def lines(self, command):
        self.commands.append(command)
        yield from (json.dumps(result).encode() for result in self.results)
        if self.error:
            raise self.error


def test_the_test_runs_as_the_sender_with_its_secret_and_nothing_of_it_in_the_command():
    box = Box(["notify_targets"], [TOOK])
    assert notify.send_tests(box) == [TOOK]
    (command,) = box.commands
    assert command[0] == "systemd-run"
    assert "--property=User=jada-notify" in command
    assert "--property=LoadCredential=notify_targets:/home/jada/secrets/notify_targets" in command
    assert command[-5:] == ["-m", "notify", "test", "--state", "/var/lib/jada-notify"]


def test_a_host_without_targets_is_refused_with_how_to_get_them():
    with pytest.raises(CommandError, match="notify_targets"):
        notify.send_tests(Box(["dashboard_token"]))


def test_results_count_even_when_the_test_ends_badly_and_an_error_without_any_passes():
    failed = CommandError("ended with 1", "look")
    assert notify.send_tests(Box(["notify_targets"], [REFUSED], failed)) == [REFUSED]
    with pytest.raises(CommandError):
        notify.send_tests(Box(["notify_targets"], [], failed))


def test_each_answer_is_said_and_a_name_that_is_only_on_one_side():
    said = list(notify.result_lines([TOOK, REFUSED], ["mail", "pager"]))
    assert said[0] == "mail: accepted"
    assert said[1].startswith("chat: refused with status 403; not in dashboard.notify.targets")
    assert said[2] == "pager: has no line in the secret notify_targets"


@pytest.mark.parametrize(
    ("results", "targets", "whole"),
    [
        ([TOOK], ["mail"], True),
        ([TOOK], [], True),
        ([TOOK, REFUSED], ["mail"], False),
        ([TOOK], ["mail", "pager"], False),
        ([], [], False),
    ],
)
def test_only_a_test_that_every_target_took_is_a_success(results, targets, whole):
    assert notify.all_delivered(results, targets) is whole
