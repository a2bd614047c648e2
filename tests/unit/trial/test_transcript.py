import io
import os
import signal
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from local.process import wait_until
from trial.transcript import CommandEnded, Transcript, interrupt_once

pytestmark = pytest.mark.process

NOON = datetime(2026, 5, 13, 12, 0, 5, tzinfo=UTC)


@pytest.fixture
def transcript(tmp_path):
    return Transcript(tmp_path / "made" / "t.txt", io.StringIO(), lambda: NOON)


@pytest.fixture
def signals():
    """Handlers are the process's: put back, whatever a test made of them."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


def run(transcript, code):
    return transcript.run([sys.executable, "-c", code], Path.cwd(), os.environ)


def test_lines_are_dated_printable_and_on_disk_at_once(transcript):
    transcript.say("it \x1b[31mran")
    assert transcript.file.read_text() == "12:00:05  it \\x1b[31mran\n"


def test_a_full_disk_ends_the_file_and_not_the_trial():
    screen = io.StringIO()
    transcript = Transcript(Path("/dev/full"), screen, lambda: NOON)
    for text in ("one", "two"):
        transcript.say(text)
    ended = "/dev/full ends here: No space left on device\n"
    assert screen.getvalue() == f"{ended}12:00:05  one\n12:00:05  two\n"


def test_a_command_and_all_it_says_are_in_it(transcript):
    assert run(transcript, "import sys; print('out'); print('err', file=sys.stderr)").splitlines() in (
        ["out", "err"],
        ["err", "out"],
    )
    lines = transcript.file.read_text().splitlines()
    assert lines[0].startswith(f"12:00:05  $ {sys.executable}")
    assert {"12:00:05    out", "12:00:05    err"} == set(lines[1:])


def test_a_command_that_fails_is_named_with_its_code(transcript):
    with pytest.raises(CommandEnded, match="ended with 3"):
        run(transcript, "raise SystemExit(3)")


def test_an_interrupt_is_passed_on_once_and_the_commands_own_end_awaited(transcript, signals):
    interrupt_once()
    code = (
        "import os, signal, sys\n"
        "def end(*_):\n"
        "    os.kill(os.getppid(), signal.SIGINT)\n"  # a second Ctrl-C, while the first one is at work
        "    print('put right', flush=True)\n"
        "    sys.exit(0)\n"
        "signal.signal(signal.SIGINT, end)\n"
        "print('at work', flush=True)\n"
        "signal.pause()\n"
    )
    seen = threading.Thread(target=_interrupt_when, args=(transcript.file, "at work"))
    seen.start()
    with pytest.raises(KeyboardInterrupt):
        run(transcript, code)
    seen.join()
    assert transcript.file.read_text().splitlines()[-1].endswith("put right")


def _interrupt_when(file, word):
    if wait_until(lambda: f"    {word}\n" in file.read_text(), 10):
        os.kill(os.getpid(), signal.SIGINT)
