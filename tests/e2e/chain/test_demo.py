"""The demo as a newcomer meets it: it tells what it does, survives a kill, and is alone."""

import re

import pytest

pytestmark = [pytest.mark.root, pytest.mark.chain]


def test_it_ends_with_what_was_made_and_where_to_look(chain):
    for part in ("What the tasks came to", "Season occupancy", "Where to look", "fab dashboard", "make down"):
        assert part in chain.told


def test_it_says_who_answered_and_what_it_cost(chain):
    assert "played by a script: no money was spent" in chain.told
    assert max(len(line) for line in chain.told.partition("What the tasks came to")[2].splitlines()) < 80


def test_it_says_what_an_earlier_demo_left(chain):
    assert "removing what an earlier demo left" in chain.told


def test_each_step_tells_its_seconds(chain):
    # A long step's own progress is set in further, and may have a check of its own.
    done = [line for line in chain.told.splitlines() if line.startswith("  ✓")]
    assert len(done) == 8
    assert all(line.rstrip().endswith(" s") for line in done)


def test_a_deployed_host_is_proven(chain):
    assert re.search(r"jada-orchestrator +verified: \d+ checks", chain.told)


def test_a_second_demo_is_refused_and_names_the_first(chain):
    first, second = chain.second
    assert second.returncode == 1
    assert f"process {first}" in second.stderr


def test_a_second_up_changes_nothing(chain):
    chain.run("pulumi", "up", "--yes", "--skip-preview", "--non-interactive", "--stack", "local", "--expect-no-changes")


def test_a_second_deploy_changes_nothing_and_restarts_nothing(chain):
    show = "systemctl show jada-agent jada-dashboard cron ssh -p MainPID -p ActiveEnterTimestampMonotonic -p NRestarts"
    before = chain.host(show)
    assert "nothing changed" in chain.fab("deploy").stdout
    assert chain.host(show) == before
