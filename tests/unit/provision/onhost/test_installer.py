import sys

import pytest

from provision.onhost.errors import DeployRefused
from provision.onhost.installer import require_notified

pytestmark = pytest.mark.process


def test_a_test_that_no_target_took_refuses_the_deploy_with_each_answer():
    command = [sys.executable, "-c", "print('mail: refused with status 403'); raise SystemExit(1)"]
    with pytest.raises(DeployRefused, match=r"(?s)nothing was switched.*mail: refused with status 403"):
        require_notified(command)


def test_a_test_that_was_taken_lets_it_go_on():
    require_notified([sys.executable, "-c", ""])
