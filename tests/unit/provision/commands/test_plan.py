"""What `fab plan` says of hosts, and whether they differ: its exit code."""

from dataclasses import replace

import pytest

from provision.commands import fleet
from provision.commands.plan import Planned, as_data, differs, said, word
from provision.errors import CommandError
from provision.release import plan
from provision.release.deploy import Changes
from provision.release.diffs import Diff

NONE = Changes((), ())


@pytest.fixture
def well(worker, bundle):
    return plan.make(worker, bundle, 3)


@pytest.fixture
def stranger(worker, bundle, seeing):
    """A plan of a host on which a hand added a cron table."""
    return plan.make(seeing(worker, "area", {"cron": {"/etc/cron.d/x": "is new"}}), bundle, 3)


def test_a_host_as_it_should_be_does_not_differ(well):
    assert not differs(well)
    assert word(well) == "as it should be"


def test_what_no_deploy_brings_back_differs_too_and_is_named_with_its_cure(stranger):
    assert stranger.nothing
    assert differs(stranger)
    assert word(stranger) == "nothing to do, 1 differ"
    (line,) = [line for line in plan.lines(stranger) if line.startswith("differs")]
    assert "/etc/cron.d/x is new" in line
    assert "fab accept" in line


def test_what_a_deploy_changes_differs(worker, bundle):
    made = plan.make(replace(worker, current="release0"), bundle, 3)
    assert differs(made)


def test_diffs_stand_below_the_plan(well):
    changes = Changes((Diff("etc/jada.toml", ("--- a", "+x = 1")),), ("app/agent: ±a.py",))
    (*_, code, empty, _, last) = said([fleet.Outcome("box", Planned(well, changes))])
    assert (code.strip(), empty.strip(), last.strip()) == ("code     app/agent: ±a.py", "", "+x = 1")


def test_of_several_hosts_a_table_says_how_each_is(well, stranger):
    gone = fleet.Outcome("c", error=CommandError("it does not answer", "look"))
    outcomes = [fleet.Outcome("a", Planned(well, NONE)), fleet.Outcome("b", Planned(stranger, NONE)), gone]
    assert [*said(outcomes)][-3:] == [
        "a  as it should be",
        "b  nothing to do, 1 differ",
        "c  failed: it does not answer",
    ]


def test_an_older_checkout_is_said_first(well):
    older = replace(well, older="this checkout is OLDER than what runs")
    assert next(plan.lines(older)) == "beware   this checkout is OLDER than what runs"


def test_a_program_is_told_all_of_it(stranger):
    data = as_data("box", Planned(stranger, Changes((Diff("x", ("+a",)),), ())))
    assert data["differs"][0]["row"] == "area cron"
    assert data["diffs"] == [{"path": "x", "lines": ("+a",)}]
    assert data["nothing_to_do"] is True
