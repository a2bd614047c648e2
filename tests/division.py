"""Which process of a run has which tests: what shares a host stays together, and the longest begin first."""

from pathlib import PurePath

PROVISION = "tests/e2e/provision"
OTHER_HOST = tuple(f"{PROVISION}/test_{name}.py" for name in ("pause", "proof", "sshd", "table", "verify"))
"""Which of these have a host of their own, in another process: all on one host would be what a run waits for."""
CHAIN = "tests/e2e/chain"
DEMO = f"{CHAIN}/test_demo.py"
"""Before the chain's others: the first tests of a process say how its cloud is made."""
FLEET = "tests/e2e/test_fleet.py"
WHOLE = (DEMO, f"{CHAIN}/test_work.py")
"""What looks at what a whole demo did; in the clouds of other processes it ends with the deploy."""
STORIES = tuple(f"{CHAIN}/test_{name}.py" for name in ("replaced", "real_check", "notify", "incident"))
"""The chain's longest: begun at its end, one of them would run alone."""
LONGEST = (PROVISION, *WHOLE, *STORIES, CHAIN, FLEET, "tests/e2e", "tests/contract")


def rank(nodeid):
    """Where a test stands among all, by how long those with it take."""
    if nodeid.startswith(OTHER_HOST):
        return LONGEST.index(FLEET)  # not before the chain: half of the processes are to begin with that
    return next((n for n, start in enumerate(LONGEST) if nodeid.startswith(start)), len(LONGEST))


def shared(nodeid):
    """What has the tests that stay in one process: a folder, a part of one, or a file."""
    if nodeid.startswith(OTHER_HOST):
        return f"{PROVISION}, on another host"
    if nodeid.startswith(WHOLE):
        return f"{CHAIN}, a whole demo"
    file = PurePath(nodeid.split("::")[0])
    is_folder = file.parts[:2] == ("tests", "e2e") and not file.is_relative_to(CHAIN)
    return str(PurePath(*file.parts[:3]) if is_folder else file)
