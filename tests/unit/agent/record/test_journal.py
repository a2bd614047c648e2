"""The journal survives what happens to processes and disks."""

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from agent.record.journal import Journal, JournalDamaged, JournalLocked, read
from wire.types import EventKind


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.jsonl"


def clock():
    return 1_747_094_400.0


def write(path, *texts):
    with Journal(path, clock) as journal:
        for text in texts:
            journal.append(EventKind.MESSAGE, {"text": text})


def texts(path, after=0):
    return [event.data["text"] for event in read(path, after)]


def test_records_are_numbered_from_one_and_carry_the_time(path):
    write(path, "a", "b")
    assert [(event.n, event.at) for event in read(path)] == [(1, "2025-05-13T00:00:00Z"), (2, "2025-05-13T00:00:00Z")]


def test_a_reopened_journal_goes_on_counting(path):
    write(path, "a")
    write(path, "b")
    assert [event.n for event in read(path)] == [1, 2]


def test_reading_starts_behind_the_record_asked_for(path):
    write(path, "a", "b", "c")
    assert texts(path, after=2) == ["c"]


def test_a_journal_that_does_not_exist_reads_as_empty(path):
    assert read(path) == []


def test_a_second_opener_is_refused(path):
    with Journal(path, clock), pytest.raises(JournalLocked, match="still runs"):
        Journal(path, clock)


def test_a_copy_of_its_lock_in_a_program_that_just_starts_keeps_no_opener_out(path):
    with Journal(path, clock) as journal:
        copy = os.dup(journal._fd)  # what a fork does
    try:
        write(path, "a")
    finally:
        os.close(copy)


def test_a_reader_needs_no_lock_and_does_not_see_a_record_before_its_newline(path):
    write(path, "a")
    with path.open("ab") as file:
        file.write(b'{"n":2,"at":"2025-05-13T00:00:00Z","kind":"message","data":{"text":"b"}}')
    assert texts(path) == ["a"]


def test_a_whole_record_without_its_newline_was_on_disk_and_counts(path):
    test_a_reader_needs_no_lock_and_does_not_see_a_record_before_its_newline(path)
    write(path, "c")
    assert texts(path) == ["a", "b", "c"]


def test_a_record_that_shares_the_next_ones_fsync_is_seen_with_it(path):
    with Journal(path, clock) as journal:
        journal.append(EventKind.MESSAGE, {"text": "a"}, sync=False)
        assert texts(path) == []
        journal.append(EventKind.MESSAGE, {"text": "b"})
        assert texts(path) == ["a", "b"]


def test_a_held_record_outlives_its_process(path):
    journal = Journal(path, clock)
    journal.append(EventKind.MESSAGE, {"text": "a"}, sync=False)
    os.close(journal._fd)  # as a kill does: nothing is written any more
    write(path, "b")
    assert texts(path) == ["a", "b"]


@pytest.mark.parametrize("torn", [b"\r", b'\r{"n":2,"at":"20'])
def test_a_held_record_outlives_a_kill_in_the_middle_of_the_next_one(path, torn):
    journal = Journal(path, clock)
    journal.append(EventKind.MESSAGE, {"text": "a"}, sync=False)
    os.close(journal._fd)
    with path.open("ab") as file:
        file.write(torn)
    write(path, "b")
    assert texts(path) == ["a", "b"]


def test_a_held_record_is_on_disk_when_the_journal_is_closed(path):
    with Journal(path, clock) as journal:
        journal.append(EventKind.MESSAGE, {"text": "a"}, sync=False)
    assert texts(path) == ["a"]


@pytest.mark.parametrize("torn", [b'{"n":2,"at":"20', b"\0" * 100, b'{"n":2,"at"\n', b"\xff\xfe"])
def test_a_torn_tail_is_cut_off_and_kept_aside(path, torn):
    write(path, "a")
    size = path.stat().st_size
    with path.open("ab") as file:
        file.write(torn)
    write(path, "b")
    assert texts(path) == ["a", "b"]
    assert path.with_name(f"journal.jsonl.torn-{size}").read_bytes() == torn


def test_a_hole_with_records_behind_it_is_no_crash_and_is_refused_untouched(path):
    write(path, "a", "b", "c")
    lines = path.read_bytes().splitlines(keepends=True)
    broken = lines[0] + b"rubbish\n" + lines[2]
    path.write_bytes(broken)
    with pytest.raises(JournalDamaged, match="by hand"):
        Journal(path, clock)
    assert path.read_bytes() == broken


def test_a_full_disk_leaves_no_half_record(path):
    """A file size limit stands for the full disk: the write fails half-way."""
    with Journal(path, clock) as journal:
        journal.append(EventKind.MESSAGE, {"text": "a"})
        before, limits = path.stat().st_size, resource.getrlimit(resource.RLIMIT_FSIZE)
        old = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (before + 20, limits[1]))
        try:
            with pytest.raises(OSError, match="File too large"):
                journal.append(EventKind.MESSAGE, {"text": "b"})
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            signal.signal(signal.SIGXFSZ, old)
        assert path.stat().st_size == before
        assert journal.append(EventKind.MESSAGE, {"text": "c"}).n == 2
    assert texts(path) == ["a", "c"]


@pytest.mark.process
def test_a_killed_writer_loses_nothing_that_it_called_on_disk(path):
    program = (
        "import sys, time; from pathlib import Path; from agent.record.journal import Journal\n"
        "journal = Journal(Path(sys.argv[1]), time.time)\n"
        "while True: print(journal.append('message', {'text': 'x' * 5000}).n, flush=True)\n"
    )
    writer = subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE)
    told = [int(writer.stdout.readline()) for _ in range(50)]
    writer.kill()
    told += [int(line) for line in writer.stdout.read().splitlines()]
    writer.wait()
    with Journal(path, clock) as journal:
        assert len(journal.events) >= told[-1]
    assert [event.n for event in read(path)] == list(range(1, len(read(path)) + 1))


def test_the_journal_is_its_owners_alone(path):
    write(path, "a")
    assert Path(path).stat().st_mode & 0o077 == 0


def test_records_of_another_release_are_kept_whole_and_followed(tmp_path):
    path = tmp_path / "journal.jsonl"
    theirs = b'{"n":1,"at":"x","kind":"thought","data":{"a":1},"trace":"t"}\n'
    path.write_bytes(theirs)
    with Journal(path, lambda: 0) as journal:
        journal.append(EventKind.END, {"exit": 0})
    assert path.read_bytes().startswith(theirs)
    assert [event.kind for event in read(path)] == ["thought", "end"]
    assert list(tmp_path.glob("*.torn-*")) == []
