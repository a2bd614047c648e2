import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from provision.reach.keyfiles import contents, materialised

LEFT_BY_A_SIGNAL = """
import sys, time
from provision.reach.access import Access
from provision.reach.keyfiles import materialised
from wire.secret import Secret
with materialised(Access("box", "192.0.2.7", "admin", Secret("key"), "cert", ())) as keys:
    print(keys.folder, flush=True)
    # One long sleep would begin in spite of a signal that came just before it.
    for _ in range(6000):
        time.sleep(0.01)
"""


def test_the_configuration_verifies_the_host_and_offers_nothing_else(granted):
    config = contents(granted, Path("/f"))["config"]
    for line in ("IdentityFile /f/key", "CertificateFile /f/key-cert.pub", "UserKnownHostsFile /f/known_hosts"):
        assert f"  {line}\n" in config
    assert "  StrictHostKeyChecking yes\n" in config
    assert "  IdentitiesOnly yes\n" in config


@pytest.mark.process
def test_openssh_reads_the_configuration(granted):
    with materialised(granted) as keys:
        done = subprocess.run(keys.ssh("-G", "{host}"), capture_output=True, text=True, check=True)
    assert "hostname 192.0.2.7\n" in done.stdout
    assert "user admin\n" in done.stdout


def test_files_are_private_and_go(granted):
    with materialised(granted) as keys:
        assert keys.folder.stat().st_mode & 0o777 == 0o700
        assert {path.stat().st_mode & 0o777 for path in keys.folder.iterdir()} == {0o600}
    assert not keys.folder.exists()


@pytest.mark.process
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_files_go_when_the_command_is_interrupted(number):
    root = Path(__file__).parents[4]
    child = subprocess.Popen(
        [sys.executable, "-c", LEFT_BY_A_SIGNAL], cwd=root, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    with child:
        folder = Path(child.stdout.readline().strip())
        assert (folder / "key").exists()
        os.kill(child.pid, number)
    assert child.returncode != 0
    assert not folder.exists()
