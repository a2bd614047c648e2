from dataclasses import replace
from pathlib import Path

import pytest

from provision.errors import CommandError
from provision.release.deploy import Source, require_notifications
from provision.settings import Settings


@pytest.mark.parametrize(
    ("targets", "secrets", "said"),
    [((), ("notify_targets",), "dashboard.notify.targets"), (("mail",), (), "fab secrets"), ((), (), "targets")],
)
def test_a_stack_whose_users_would_hear_of_nothing_is_refused_with_the_two_ways_out(fresh, targets, secrets, said):
    source = Source(Path("/x"), Path("/x/jada.prod.toml"), Settings(), "/run/q.sock", targets, tested=True)
    with pytest.raises(CommandError) as refused:
        require_notifications(source, replace(fresh, secrets=secrets))
    assert said in refused.value.cure
    assert 'deploy.notify = "none"' in refused.value.cure


def test_a_stack_with_a_target_and_its_secret_is_not_refused(fresh):
    source = Source(Path("/x"), Path("/x/jada.prod.toml"), Settings(), "/run/q.sock", ("mail",), tested=True)
    require_notifications(source, replace(fresh, secrets=("notify_targets",)))
