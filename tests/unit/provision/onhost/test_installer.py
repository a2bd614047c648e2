import sys

import pytest

from provision.onhost.errors import DeployRefused, Stopped
from provision.onhost.installer import Deploy, require_notified


@pytest.mark.process
def test_a_test_that_no_target_took_refuses_the_deploy_with_each_answer():
    command = [sys.executable, "-c", "print('mail: refused with status 403'); raise SystemExit(1)"]
    with pytest.raises(DeployRefused, match=r"(?s)nothing was switched.*mail: refused with status 403"):
        require_notified(command)


@pytest.mark.process
def test_a_test_that_was_taken_lets_it_go_on():
    require_notified([sys.executable, "-c", ""])


@pytest.mark.parametrize(
    ("said", "then"),
    [({"deployed": "r1"}, "superseded"), ({"finished": True}, "finished"), ({"proven": "r1"}, "proven")],
)
def test_what_a_later_deploy_read_of_it_stays_so_when_that_one_ends_it(tmp_path, said, then):
    """The later one reads the file, while the one that wrote it still waits for the disk."""
    deploy = Deploy({"id": "r1"}, tmp_path)
    deploy.events.emit(**said)
    assert deploy.stopped(Stopped("it was asked to stop")) == 0
    assert then in deploy.events.read()[-1]
