"""Which host's queue a command asks."""

import pytest
from invoke.context import Context

from provision.commands.copies import require_copy
from provision.commands.options import task
from provision.commands.queue import first_that_answers, refusal
from provision.errors import CommandError
from wire.types import Problem

HOSTS = ("jada-1", "jada-2", "jada-3")


def reach(*down):
    """Reach hosts of which some are down."""

    def found(name):
        if name in down:
            raise CommandError(f"instance {name} is stopped, not running", f"start {name}")
        return f"the queue of {name}"

    return found


def asked(hosts, *down):
    notes = []
    return first_that_answers(hosts, reach(*down), notes.append), notes


def test_the_first_host_is_asked_and_nothing_is_said_of_it():
    assert asked(HOSTS) == ("the queue of jada-1", [])


def test_a_host_that_is_down_is_passed_over_and_it_is_said_which_is_asked():
    found, notes = asked(HOSTS, "jada-1")
    assert found == "the queue of jada-2"
    assert notes == ["jada-1 is passed over (instance jada-1 is stopped, not running): jada-2 is asked"]


def test_where_none_answers_each_one_is_named():
    with pytest.raises(CommandError) as refused:
        asked(HOSTS, *HOSTS)
    assert all(f"{name}: instance {name} is stopped" in refused.value.cause for name in HOSTS)


def test_a_single_host_is_refused_in_its_own_words():
    with pytest.raises(CommandError) as refused:
        asked(HOSTS[:1], "jada-1")
    assert (refused.value.cause, refused.value.cure) == ("instance jada-1 is stopped, not running", "start jada-1")


def test_a_token_that_is_not_there_is_looked_for_among_tokens():
    problem = Problem(title="Not found", status=404, detail="no token X")
    assert refusal(problem).cure == "`fab token.list` has the ids"
    assert refusal(Problem(title="Not found", status=404, detail="no task X")).cure == "`fab task.list` has the ids"


def test_what_the_queue_does_not_take_names_the_help_of_the_command_that_asked():
    @task(example="fab task.list --words 'season occupancy'")
    def list_(_context):
        """List."""
        raise refusal(Problem(title="Refused", status=422, detail="must be one line", field="words"))

    with pytest.raises(CommandError) as refused:
        list_(Context())
    assert refused.value.cure == "`fab help task.list` says what each option takes"


def test_a_copy_that_is_not_held_is_refused_with_those_that_are():
    held = ["20260513T030000Z.db", "20260514T030000Z.db"]
    require_copy("jada-1", None, held)
    require_copy("jada-1", held[0], held)
    with pytest.raises(CommandError, match=r"jada-1 holds no copy \.\./x") as refused:
        require_copy("jada-1", "../x", held)
    assert refused.value.cure == "it holds 20260514T030000Z.db, 20260513T030000Z.db"
    with pytest.raises(CommandError, match="holds no copy of its queue"):
        require_copy("jada-1", None, [])
