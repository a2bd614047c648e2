"""After a kill anywhere in a deploy a whole release serves within 30 s, and the next deploy needs no hand.

Four kills, one of each kind, in the middle of a deploy; `make faults` tries sixty (JADA_KILLS).
"""

import os
import sys
import time

import pytest

from local.process import wait_until
from provision.errors import CommandError
from provision.reach.connection import connected
from provision.release.deploy import deploy
from tests.e2e.provision.host import probed, serves_wholly, until_idle, until_proven
from tests.e2e.provision.kills import chosen, deploy_and_kill

pytestmark = [pytest.mark.root, pytest.mark.timeout(300)]
SERVES_S = 30
SEEDS = range(int(asked)) if (asked := os.environ.get("JADA_KILLS")) else range(4, 8)


def _serves(cloud, until):
    """Look as long as one login lasts: each of them takes as much as a look."""
    try:
        with connected(cloud.access(), 3) as box:
            return wait_until(lambda: serves_wholly(box), until - time.monotonic(), 0.5)
    except CommandError:
        return False


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: f"{seed}-{chosen(seed).who}")
def test_a_whole_release_serves_after_a_kill_and_the_next_deploy_needs_no_hand(cloud, deployed, source, progress, seed):
    kill, part = chosen(seed), source.root / "wire" / "__init__.py"
    part.write_text(f"{part.read_text()}# {seed}\n")
    said = deploy_and_kill(cloud, source, progress, kill)
    began = time.monotonic()
    assert wait_until(lambda: _serves(cloud, began + SERVES_S), SERVES_S, 0.3), (
        f"{kill}: nothing whole serves after {SERVES_S} s: {said}"
    )
    sys.stdout.write(f"{kill}: a whole release served {time.monotonic() - began:.1f} s after the deploy had ended\n")
    with connected(cloud.access(), 15) as box:
        until_idle(box)
        assert serves_wholly(box), f"{kill}: {said}"
        seen = probed(box)
        assert (seen.pending, seen.current) == (None, seen.proven[0]), f"{kill}: an unproven release was left: {said}"
        deploy(box, source, progress)
        until_proven(box)
        assert deploy(box, source, progress) is None
        assert serves_wholly(box)
        assert probed(box).proven[0] == probed(box).current


def test_a_cut_connection_is_no_end_of_a_deploy(cloud, deployed, source, progress):
    part = source.root / "wire" / "__init__.py"
    part.write_text(f"{part.read_text()}# cut\n")
    kill = next(each for seed in range(1, 1000, 4) if (each := chosen(seed)).after == 3)
    assert deploy_and_kill(cloud, source, progress, kill).startswith("deployed; the host watches it")
