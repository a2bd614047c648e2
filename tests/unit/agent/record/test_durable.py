import os
import subprocess
import sys
from dataclasses import dataclass

import pytest

from agent.record import durable
from wire.values import Invalid


@dataclass(frozen=True)
class Note:
    text: str


def test_what_was_written_is_read_and_private(tmp_path):
    durable.write(tmp_path / "note.json", Note("hello"))
    assert durable.read(Note, tmp_path / "note.json") == Note("hello")
    assert (tmp_path / "note.json").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["note.json"]


def test_no_file_is_no_value(tmp_path):
    assert durable.read(Note, tmp_path / "note.json") is None


def test_another_shape_is_refused_by_file_and_field(tmp_path):
    (tmp_path / "note.json").write_text('{"txt": 1}')
    with pytest.raises(Invalid, match=r"note\.json\.txt: unknown"):
        durable.read(Note, tmp_path / "note.json")


def test_a_kill_in_the_middle_leaves_the_old_file_whole(tmp_path):
    path = tmp_path / "note.json"
    durable.write(path, Note("old"))
    script = (
        "import os, sys, pathlib; from agent.record import durable; os.fsync = lambda fd: os.kill(os.getpid(), 9);"
        "durable.write(pathlib.Path(sys.argv[1]), {'text': 'new'})"
    )
    killed = subprocess.run([sys.executable, "-c", script, str(path)], env={**os.environ}, check=False)
    assert killed.returncode == -9
    assert durable.read(Note, path) == Note("old")
    durable.write(path, Note("newer"))
    assert durable.read(Note, path) == Note("newer")
