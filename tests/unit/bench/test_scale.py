"""The simulation of several hosts: seeded, and it sees what it is there for."""

from bench import scale


def test_the_same_seed_gives_the_same_figures_and_another_does_not():
    one, same, other = (scale.simulate(20, 5, seed, seconds=20) for seed in (1, 1, 2))
    assert one == same
    assert one != other


def test_twice_the_tasks_are_twice_the_writes():
    once, twice = (scale.simulate(100, rate, seconds=60) for rate in (20, 40))
    assert 1.6 < twice.writes / once.writes < 2.4


def test_a_key_that_takes_too_much_is_named_and_makes_claims_wait():
    hot = scale.simulate(600, 2600, seconds=5)
    assert hot.throttled
    assert "writes a second" in hot.breaks


def test_hosts_that_cannot_take_so_many_are_what_breaks():
    assert scale.simulate(2, 500, seconds=10).breaks.startswith("the hosts")


def test_what_suffices_breaks_nothing():
    assert scale.simulate(10, 1).breaks == "nothing"
