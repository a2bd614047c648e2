"""What a run loads, in a process of its own: modules once imported stay."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.process

HEAVY = ("google.auth", "gspread", "requests", "subprocess", "urllib3")


def test_a_run_that_reads_a_file_and_reports_on_its_own_host_loads_no_library_for_that(tmp_path):
    (tmp_path / "bookings.csv").write_text("id,arrival\nB1,2026-05-13\n", encoding="utf-8")
    program = f"""
import sys
import sync.__main__
from pathlib import Path
from sync.settings import Settings
from sync.source.read import Outside, read
from sync.source_settings import File
from wire.client import Client
source = File(path={str(tmp_path / "bookings.csv")!r}, format="csv")
settings = Settings(columns=("id", "arrival"), dates=("arrival",), amounts=(), source=source)
assert len(read(settings, Outside(None, Path()))) == 1
Client("unix:/run/queue.sock")
print(*(name for name in {HEAVY} if name in sys.modules))
"""
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert said == []
