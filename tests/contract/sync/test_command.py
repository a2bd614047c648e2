"""Bookings of a program: real processes, from a shell's one line to one that eats all memory."""

import json
import os
import select
import time as real_time

import pytest

from sync import settings
from sync.failure import SyncFailed
from sync.source import read

FIELDS = {"id": "id", "arrival": {"path": "arrival", "type": "date"}}
ONE = '{"id": "B1", "arrival": "2026-05-13"}'
LONG = '{"id": "B1", "arrival": "2026-05-13", "more": "'
TWO = '{"id": "B2", "arrival": "2026-05-13"}'


@pytest.fixture
def run(tmp_path, outside):
    def run(script, secret="t", **more):
        source = {"kind": "command", "command": ["/bin/sh", "-c", script], **more}
        given = settings.read({"spreadsheet_id": "x", "source": source, "fields": FIELDS})
        whole = outside(secret)
        return read.read(given, read.Outside(whole.secret, tmp_path, clock=real_time.monotonic))

    return run


def test_a_program_that_is_complete_is_read(run):
    assert set(run(f"echo '{ONE}'; echo '{TWO}'; echo '{{\"complete\": 2}}'").cells) == {"B1", "B2"}


@pytest.mark.parametrize(
    ("script", "named"),
    [
        (f"echo '{ONE}'", "ended after 1 records without the line"),
        (f"echo '{ONE}'; echo '{{\"complete\": 2}}'", "printed 1 records, and says that 2 are complete"),
        (f"echo '{{\"complete\": 0}}'; echo '{ONE}'", "printed more after"),
        (f"echo '{ONE}'; echo '{{\"complete\": 1}}'; echo no luck >&2; exit 3", "ended with 3: no luck"),
        (f"echo '{ONE}'; echo '{{\"complete\": 1}}'; kill -9 $$", "was ended by signal 9, perhaps for want of memory"),
        ("exec sleep 60", "was not complete after 1 s"),
        ("yes | head -c 4000000 | tr -d '\\n'", "printed a line of more than 1 MB"),
        (
            f"long=$(yes x | head -c 100000 | tr -d '\\n'); yes '{LONG}'\"$long\"'\"}}'",
            "printed more than 64 MB in all",
        ),
        ("no-such-program", "ended with 127"),
    ],
)
def test_a_program_that_is_not_complete_is_refused_whole(run, script, named):
    with pytest.raises(SyncFailed, match=named) as failed:
        run(script, timeout_s=1 if "sleep" in script else 30)
    assert failed.value.kind == "bookings_command"


def test_the_secret_comes_on_its_input_and_in_no_variable(run, tmp_path, monkeypatch):
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "/run/credentials/x")
    program = tmp_path / "program"
    program.write_text('read -r secret; echo $secret > "$1/secret"; env > "$1/env"; echo \'{"complete": 0}\'\n')
    run(f"sh {program} {tmp_path}", secret="s3cret")
    assert (tmp_path / "secret").read_text() == "s3cret\n"
    assert "s3cret" not in (environment := (tmp_path / "env").read_text())
    assert "CREDENTIALS" not in environment


def test_what_it_started_ends_with_it(run, tmp_path):
    run(f"sleep 60 & echo $! > {tmp_path}/pid; echo '{{\"complete\": 0}}'")
    try:
        ended = os.pidfd_open(int((tmp_path / "pid").read_text()))
    except ProcessLookupError:
        return
    # It was killed, and may be on its way out still.
    assert select.select([ended], [], [], 10)[0]
    os.close(ended)


def test_the_kernel_takes_it_before_the_sync(run, tmp_path):
    run(f"cat /proc/self/oom_score_adj > {tmp_path}/adj; echo '{{\"complete\": 0}}'")
    assert (tmp_path / "adj").read_text().strip() == "1000"


def test_one_that_complains_much_does_not_stand_still(run):
    assert set(run(f"head -c 1000000 /dev/zero >&2; echo '{ONE}'; echo '{{\"complete\": 1}}'").cells) == {"B1"}


def test_a_line_that_is_no_record_is_set_aside(run):
    found = run(f"echo '{ONE}'; echo hello; echo '{json.dumps({'complete': 2})}'")
    assert (set(found.cells), len(found.aside)) == ({"B1"}, 1)
