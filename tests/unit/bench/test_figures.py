"""Figures and the table: what a round gave, held against its neighbour in time."""

import io
from itertools import pairwise, permutations

from rich.console import Console

from bench.figures import Round, Target, in_turn, ratios, table


def rounds(*rates):
    return [Round(pairs=100, seconds=100 / rate, cpu_seconds=0.05) for rate in rates]


def test_a_round_is_a_rate_and_cpu_for_each_pair():
    (one,) = rounds(400)
    assert (one.rate, one.cpu_ms) == (400, 0.5)


def test_a_ratio_is_taken_round_by_round_so_that_a_slow_moment_slows_both():
    assert ratios(rounds(300, 30, 300), rounds(100, 10, 150)) == [3, 3, 2]


def test_each_contender_goes_after_each_other_one():
    turns = [in_turn(["a", "b", "c"], number) for number in range(6)]
    assert {one for turn in turns for one in pairwise(turn)} == set(permutations("abc", 2))
    assert all(sorted(turn) == ["a", "b", "c"] for turn in turns)
    assert {turn[0] for turn in turns} == {"a", "b", "c"}


def test_the_table_has_a_row_for_each_with_its_target_beside_it():
    drawn = io.StringIO()
    results = {"ours": rounds(250, 300, 350), "peer": rounds(100, 100, 100)}
    Console(file=drawn, width=120).print(table(results, "peer", {"ours": Target(ratio=3, cpu_ms=0.6)}))
    (ours,) = (line for line in drawn.getvalue().splitlines() if "ours" in line)
    cells = [cell.strip() for cell in ours.strip("│").split("│")]
    assert cells == ["ours", "300", "250 - 350", "3.00 (2.75 - 3.25)", "target ≥ 3 ×", "0.50", "target ≤ 0.6"]
