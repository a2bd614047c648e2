"""A machine that can't be the cloud is refused at once, with what is needed."""

import os
import subprocess
from pathlib import Path

import pytest

BOOTSTRAP = Path(__file__).parents[3] / "local" / "bootstrap"


def refused(folder, program, says):
    """Run the bootstrap where `program` says something else than this machine's own; returns its last words."""
    (folder / program).write_text(f"#!/bin/sh\nprintf '%s\\n' {says}\n")
    (folder / program).chmod(0o755)
    env = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}
    done = subprocess.run(["sh", BOOTSTRAP], env=env, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 1
    assert done.stdout == ""
    return done.stderr


@pytest.mark.parametrize(
    ("program", "says", "told"),
    [
        ("uname", "Darwin", "needs Linux"),
        ("id", "1000", "sudo --preserve-env=ANTHROPIC_API_KEY make demo"),
        ("mount", "'proc on /proc type proc (rw)'", "no cgroup file system is mounted"),
        ("df", "'Filesystem blocks used available' '/dev/vda 9000 8000 1000 89% /'", "too little disk: 1000 MB free"),
    ],
)
def test_what_is_missing_is_told_before_anything_is_done(tmp_path, program, says, told):
    assert told in refused(tmp_path, program, says)
