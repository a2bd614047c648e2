"""What an idle daemon holds in memory, in a process of its own: modules once imported stay."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.process

HEAVY = ("anthropic", "ctypes", "email", "hashlib", "http.client", "ssl", "tempfile", "urllib3")


@pytest.mark.parametrize(("url", "brought"), [("unix:/run/queue.sock", set()), ("https://queue.example", {"urllib3"})])
def test_only_a_daemon_that_goes_over_tcp_holds_what_that_takes(url, brought):
    program = f"""
import sys
import agent.__main__
from wire.client import Client
from wire.secret import Secret
Client("{url}", Secret("t"))
print(*(name for name in {HEAVY} if name in sys.modules))
"""
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert set(said) & {"urllib3"} == brought
    assert brought or not said
