import json
import os
import subprocess
import sys

import pytest
from msgspec.structs import replace

from agent.record import durable
from wire.values import Invalid, Written


class Note(Written, frozen=True, kw_only=True):
    text: str


def test_what_was_written_is_read_and_private(tmp_path):
    durable.write(tmp_path / "note.json", Note(text="hello"))
    assert durable.read(Note, tmp_path / "note.json") == Note(text="hello")
    assert (tmp_path / "note.json").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["note.json"]


def test_no_file_is_no_value(tmp_path):
    assert durable.read(Note, tmp_path / "note.json") is None


def test_another_shape_is_refused_by_file_and_field(tmp_path):
    (tmp_path / "note.json").write_text('{"txt": 1}')
    with pytest.raises(Invalid, match=r"note\.json\.text: missing"):
        durable.read(Note, tmp_path / "note.json")


def test_what_another_release_added_is_kept_through_a_change(tmp_path):
    (tmp_path / "note.json").write_text('{"text": "hello", "mood": "good"}')
    note = durable.read(Note, tmp_path / "note.json")
    durable.write(tmp_path / "note.json", replace(note, text="bye"))
    assert json.loads((tmp_path / "note.json").read_text()) == {"text": "bye", "mood": "good"}


@pytest.mark.process
def test_a_kill_in_the_middle_leaves_the_old_file_whole(tmp_path):
    path = tmp_path / "note.json"
    durable.write(path, Note(text="old"))
    script = (
        "import os, sys, pathlib; from agent.record import durable; os.fsync = lambda fd: os.kill(os.getpid(), 9);"
        "durable.write(pathlib.Path(sys.argv[1]), {'text': 'new'})"
    )
    killed = subprocess.run([sys.executable, "-c", script, str(path)], env={**os.environ}, check=False)
    assert killed.returncode == -9
    assert durable.read(Note, path) == Note(text="old")
    durable.write(path, Note(text="newer"))
    assert durable.read(Note, path) == Note(text="newer")
