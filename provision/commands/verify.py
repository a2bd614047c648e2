"""`fab verify`, the proof: tests/host run by pytest against a host, over the same SSH."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from invoke.context import Context
from invoke.exceptions import Exit

from provision.commands import admission
from provision.commands.options import ONE_HOST, task
from provision.progress import Progress
from provision.reach.keyfiles import KeyFiles, materialised
from provision.target import load_target


@task(
    help={**ONE_HOST, "junit": "also write the checks to this file as JUnit XML, for a CI"},
    example="fab verify --stack prod",
)
def verify(_context: Context, junit: str = "", stack: str | None = None, host: str | None = None) -> None:
    """Prove that a host is as deployed: users, modes, units, cron, ports, sshd, journal, release, health, and who its
    firewall lets in.
    """
    target = load_target(stack)
    with materialised(target.access(host, Progress(aside=True))) as keys:
        code = run(keys, target.source.root, [f"--junitxml={Path(junit).absolute()}"] if junit else ())
    # After the checks: what is open now is what stays open.
    wrong = admission.doors_left_open(target.inventory, keys.name)
    if code or wrong:
        changed = f"{keys.name} is not as deployed; what was changed by hand comes back with `fab deploy`"
        raise Exit("\n".join([*([changed] if code else []), *wrong]), code=1)


def pytest_command(keys: KeyFiles, extra: Sequence[str] = ()) -> list[str]:
    """Return the pytest command: OpenSSH as the backend, because testinfra's paramiko takes any host key."""
    return [
        *(sys.executable, "-m", "pytest", "tests/host", "--quiet"),
        *(f"--hosts=ssh://{keys.name}", f"--ssh-config={keys.config}", "--sudo", *extra),
    ]


def run(keys: KeyFiles, root: Path, extra: Sequence[str] = ()) -> int:
    """Run the checks, all of them read-only; return pytest's exit code."""
    done = subprocess.run(pytest_command(keys, extra), cwd=root, check=False)
    # testinfra leaves a master connection open, which would outlive the key files.
    subprocess.run(keys.ssh("-O", "exit", "{host}"), capture_output=True, check=False)
    return done.returncode
