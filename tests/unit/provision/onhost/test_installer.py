import sys

import pytest

from provision.onhost.errors import DeployRefused, Stopped
from provision.onhost.installer import Deploy, require_notified

pytestmark = pytest.mark.process


def test_a_test_that_no_target_took_refuses_the_deploy_with_each_answer():
    command = [sys.executable, "-c", "print('mail: refused with status 403'); raise SystemExit(1)"]
    with pytest.raises(DeployRefused, match=r"(?s)nothing was switched.*mail: refused with status 403"):
        require_notified(command)


def test_a_test_that_was_taken_lets_it_go_on():
    require_notified([sys.executable, "-c", ""])


@pytest.mark.parametrize(
    ("said", "last"),
    [({"finished": True}, "finished"), ({"proven": "r1"}, "proven"), ({"deployed": "r1"}, "superseded")],
)
def test_an_installer_that_is_ended_right_after_its_word_takes_nothing_back(tmp_path, said, last):
    deploy = Deploy({}, tmp_path)
    deploy.events.emit(**said)
    assert deploy.stop(Stopped("it was asked to stop")) == 0
    assert deploy.events.last().keys() - {"at"} == {last}
