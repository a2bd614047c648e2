"""The proof: tests/host run by pytest against a host, over the same SSH."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from provision.keyfiles import KeyFiles


def command(keys: KeyFiles, extra: Sequence[str] = ()) -> list[str]:
    """Return the pytest command: OpenSSH as the backend, because testinfra's paramiko takes any host key."""
    return [
        *(sys.executable, "-m", "pytest", "tests/host", "--quiet"),
        *(f"--hosts=ssh://{keys.name}", f"--ssh-config={keys.config}", "--sudo", *extra),
    ]


def run(keys: KeyFiles, root: Path) -> int:
    """Run the checks, all of them read-only; return pytest's exit code."""
    done = subprocess.run(command(keys), cwd=root, check=False)
    subprocess.run(keys.ssh("-O", "exit", "{host}"), capture_output=True, check=False)
    return done.returncode
