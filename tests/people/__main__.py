"""`make faults`: many scenarios of people and faults beside the sync, seeded; counts, and the smallest bad one."""

import argparse
import logging
import sys
from collections import Counter

from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.people.scenario import fleets, play, scenarios, tidied


def main():
    """Play the scenarios; exit code 1 when one of them violates what must hold."""
    logging.getLogger("sync").setLevel(logging.ERROR)
    parser = argparse.ArgumentParser(prog="python -m tests.people", description=__doc__)
    parser.add_argument("--scenarios", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=20260513)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--hosts", action="store_true", help="several hosts, which take over from each other")
    which.add_argument("--tidied", action="store_true", help="in each a killed or lost write, and its copy deleted")
    given_ = parser.parse_args()
    played_ones = fleets if given_.hosts else tidied if given_.tidied else scenarios
    counts = Counter()
    run = settings(max_examples=given_.scenarios, deadline=None, database=None, suppress_health_check=list(HealthCheck))

    @seed(given_.seed)
    @settings(run, phases=[Phase.generate])
    @given(played_ones())
    def count(scenario):
        played = play(scenario)
        counts[f"ended {played.ended}"] += 1
        counts["scenarios"] += 1
        counts["acts of people"] += len(scenario.acts)
        counts["kills"] += played.kills
        counts["runs on another host than the one before"] += played.takeovers
        counts["with a violation"] += bool(played.violations)
        if counts["scenarios"] % 200 == 0:
            sys.stderr.write(f"{counts['scenarios']} scenarios, {counts['with a violation']} with a violation\n")

    count()
    for name, number in sorted(counts.items()):
        sys.stdout.write(f"{number:7} {name}\n")
    if counts["with a violation"]:

        @seed(given_.seed)
        @run
        @given(played_ones())
        def show(scenario):
            assert play(scenario).violations == []

        show()
    return 0


if __name__ == "__main__":
    sys.exit(main())
