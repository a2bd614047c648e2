"""A process is known by its id and start, so that a reused id is never hurt."""

import subprocess
import sys
from dataclasses import replace

import pytest

from local.process import Process, wait_until

pytestmark = pytest.mark.process


@pytest.fixture
def child():
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as process:
        yield process
        process.kill()


def test_a_recorded_process_is_found_again(child, tmp_path):
    process = Process.find(child.pid)
    process.record(tmp_path / "pid")
    assert Process.recorded(tmp_path / "pid") == process


def test_a_reused_id_is_another_process(child, tmp_path):
    earlier = replace(Process.find(child.pid), started=1)
    earlier.record(tmp_path / "pid")
    assert Process.recorded(tmp_path / "pid") is None
    earlier.end()
    assert child.poll() is None


def test_a_zombie_does_not_live(child):
    process = Process.find(child.pid)
    child.kill()
    assert wait_until(lambda: not process.alive(), 60)


def test_what_takes_long_is_looked_at_less_often_unless_it_is_said_how_often():
    looks = []
    # A pause is never shorter than it was asked for: the seventh look comes 0.496 s after the first, or later.
    assert not wait_until(lambda: looks.append(1), 0.45)
    assert 1 < len(looks) <= 7  # every 0.05 s it would be nine
    assert wait_until(lambda: looks.append(1) or len(looks) > 60, 60, 0.001)


def test_ending_kills_what_does_not_listen(tmp_path):
    deaf = "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", deaf], stdout=subprocess.PIPE) as child:
        child.stdout.readline()
        Process.find(child.pid).end(grace_s=0.2)
        assert child.wait(60) == -9


def test_a_file_that_is_half_written_records_nothing(tmp_path):
    (tmp_path / "pid").write_text('{"pid": 1')
    assert Process.recorded(tmp_path / "pid") is None
