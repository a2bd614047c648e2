import subprocess
import sys
from pathlib import Path

import pytest

from provision.commands.verify import pytest_command
from provision.reach.keyfiles import KeyFiles

ROOT = Path(__file__).parents[4]


def test_the_checks_run_over_openssh_which_verifies_the_host():
    words = pytest_command(KeyFiles(Path("/f"), "box"), ["-x"])
    assert "--hosts=ssh://box" in words
    assert "--ssh-config=/f/config" in words
    assert words[-1] == "-x"


@pytest.mark.process
def test_without_a_host_its_checks_are_not_collected():
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "tests/host"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "no tests collected" in done.stdout
