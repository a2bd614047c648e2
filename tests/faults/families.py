"""A family's stress: four hosts make moves of one family in a DynamoDB table at once, while their writes are refused,
their answers lost, and the hosts killed in the middle of a move. `python -m tests.faults.families --rounds 100`, or
`make faults`.

At the end of each round the family's budget must be what its records say, no less than nothing, and all that they name
be there; and no reservation may have been given twice.
"""

import argparse
import contextlib
import random
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress

from dashboard.record import Busy, FamilyBusy, Unready
from dashboard.stores.dynamodb.store import DynamoStore
from dashboard.stores.dynamodb.table import Table
from tests import dynamo
from tests.contract.test_stores import FAMILY, make_move, require_all_that_is_named, summed_up
from wire.types import Exit

HOSTS, MOVES = 4, 25
NAMES = {"claim": 16, "end": 24, "edit": 4, "reply": 4, "retry": 4, "add": 2, "cancel": 1, "lose": 1}
"""What is moved, and how often. What is cancelled and lost had spent all: of less, its end might tell of more later."""
FAULTS = {"throttled": 2, "500": 1, "500 after": 2, "lost after": 2, "killed": 5, "killed after": 5}
FAULTY = 0.9
"""Of all moves: one of their first writes goes wrong."""


class Killed(BaseException):
    """As SIGKILL: nothing of the move runs after it."""


def fault(name):
    """Return what a write meets, as `dynamo.Wire` has it."""

    def killed(carry_out):
        if name == "killed after":
            carry_out()
        raise Killed

    return killed if name.startswith("killed") else name


def move(chance):
    """Return a move as `make_move` has it."""
    name = chance.choices([*NAMES], [*NAMES.values()])[0]
    with_ = {
        "add": None, "retry": None, "cancel": None, "lose": 100,
        "claim": chance.choice([0, 0, 120]), "reply": chance.randrange(50),
        "end": (chance.choice(list(Exit)), chance.randrange(101)),
        "edit": (chance.randrange(1, 5), chance.randrange(1, 151)),
    }  # fmt: skip
    return name, chance.choice(FAMILY), with_[name]


def work(name, number, seed):
    """Make the moves of one host; return what was made of them."""
    chance, wire, made = random.Random(seed), dynamo.Wire(), dynamo.client(dynamo.address(), attempts=2)
    wire.watch(made)
    store, came = DynamoStore(Table(made, name, pause=lambda _: None)), Counter()
    for step in range(MOVES):
        wire.faults.clear()
        if chance.random() < FAULTY:
            kind = chance.choices([*FAULTS], [*FAULTS.values()])[0]
            wire.faults.extend([*[None] * chance.randrange(7), fault(kind)])
        planned = len(wire.faults)
        try:
            came["refused"] += isinstance(make_move(store, number * 1000 + step, move(chance)), type)
        except Killed:
            store = DynamoStore(Table(made, name, pause=lambda _: None))
            came["kills"] += 1
        except (Busy, FamilyBusy, Unready):
            came["given up"] += 1
        came["moves"] += 1
        came["faults met"] += planned > 0 and not wire.faults
    return came


def play(seed):
    """Play a round; return what was made, and what is wrong."""
    chance, made = random.Random(seed), dynamo.client(dynamo.address())
    name = dynamo.new_table(made)
    with closing(DynamoStore(Table(made, name))) as store:
        for member in FAMILY:
            make_move(store, 0, ("add", member, None))
        with ThreadPoolExecutor(HOSTS) as pool:
            seeds = [chance.random() for _ in range(HOSTS)]
            came = sum(pool.map(work, [name] * HOSTS, range(1, HOSTS + 1), seeds), Counter())
        return came, wrong(store)


def wrong(store):
    """Compare a table's budgets with its records."""
    # First the budgets: whoever needs one settles what was left half done.
    left = {root: store.budget(root) for root in {record.root for record in store.tasks()}}
    records, found = store.tasks(), []
    for root, budget in left.items():
        counted = summed_up([record for record in records if record.root == root])
        if (counted.sessions, counted.usd_micros, counted.reserved) != (
            budget.sessions,
            budget.usd_micros,
            budget.reserved,
        ):
            found.append(f"family {root} has {budget}, and its records say {counted}")
        if min(budget.sessions, budget.usd_micros, budget.reserved) < 0:
            found.append(f"family {root} overspent: {budget}")
    with suppress(AssertionError):
        require_all_that_is_named(store, records)
        return found
    return [*found, "a record names what is not there"]


def main() -> int:
    """Play so many rounds; return 1 when anything was wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults.families",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rounds", type=int, default=100, help="how many (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="that of the first round (default: %(default)s)")
    args = parser.parse_args()
    began, came, bad = time.monotonic(), Counter(), 0
    for seed in range(args.seed, args.seed + args.rounds):
        made, found = play(seed)
        came += made
        bad += bool(found)
        for each in found:
            sys.stdout.write(f"seed {seed}: {each}\n")
        if (seed - args.seed + 1) % 20 == 0:
            sys.stderr.write(f"{seed - args.seed + 1} of {args.rounds} rounds, {bad} wrong\n")
    counts = ", ".join(f"{number} {name}" for name, number in came.most_common())
    sys.stdout.write(f"{args.rounds} rounds of a family, {counts}; {bad} wrong ({time.monotonic() - began:.0f} s)\n")
    return 1 if bad else 0


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main())
