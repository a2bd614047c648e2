import threading

import pytest

from provision.commands import fleet
from provision.errors import CommandError

REFUSED = CommandError("it does not answer\nmore", "look")


def _table(outcomes):
    return [*fleet.table(outcomes, str)]


def test_hosts_are_done_at_the_same_time_and_told_in_their_order():
    both = threading.Barrier(2, timeout=60)
    outcomes = fleet.on_each(["b", "aa"], lambda host: (both.wait(), host)[1])
    assert _table(outcomes) == ["b   b", "aa  aa"]


def test_a_failure_stops_those_that_have_not_begun():
    begun = []

    def do(host):
        begun.append(host)
        raise REFUSED

    outcomes = fleet.on_each(["a", "b", "c"], do, first_alone=True)
    assert begun == ["a"]
    assert _table(outcomes) == ["a  failed: it does not answer", *(f"{host}  {fleet.NOT_BEGUN}" for host in "bc")]
    with pytest.raises(CommandError, match="does not answer"):
        fleet.require_all(outcomes)


def test_no_more_than_ten_are_begun_at_once():
    hosts = [str(number) for number in range(30)]
    begun, first = [], threading.Barrier(fleet.AT_ONCE, timeout=60)

    def do(host):
        begun.append(host)
        first.wait()
        raise REFUSED

    outcomes = fleet.on_each(hosts, do)
    assert len(begun) == fleet.AT_ONCE
    assert sum(not outcome.begun for outcome in outcomes) == len(hosts) - fleet.AT_ONCE


def test_hosts_of_one_queue_are_done_one_after_another():
    at_work, most = set(), []

    def do(host):
        at_work.add(host)
        most.append(len(at_work))
        threading.Event().wait(0.01)  # a second thread would come in now
        at_work.remove(host)

    fleet.on_each(["a", "b", "c", "d"], do, first_alone=True, at_once=1)
    assert most == [1, 1, 1, 1]


@pytest.mark.parametrize("hosts", [["a"], ["a", "b"]])
def test_an_error_of_ours_is_raised_where_the_command_runs(hosts):
    def do(_host):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fleet.on_each(hosts, do)


def test_all_well_is_no_error():
    fleet.require_all(fleet.on_each(["a", "b"], str))
