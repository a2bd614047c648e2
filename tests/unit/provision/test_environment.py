"""What a plain `uv sync` makes, by hand or by Pulumi: the operator's environment, whole."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from provision.release import wheels

pytestmark = pytest.mark.process

ROOT = Path(__file__).parents[3]
OPERATOR = {"boto3", "fabric", "pulumi", "pulumi-aws", "pytest", "pytest-testinfra", "pytest-timeout", "rich"}


def uv(*arguments, cwd):
    """Run uv in `cwd` about this test's own environment, offline and changing nothing; returns all that it said."""
    env = {**os.environ, "UV_PROJECT_ENVIRONMENT": sys.prefix, "UV_OFFLINE": "1"}
    command = [wheels._program(), *arguments, "--frozen", "--cache-dir", str(wheels.cache() / "uv")]
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=True)
    return done.stdout + done.stderr


@pytest.fixture
def copy(tmp_path):
    for name in ("pyproject.toml", "uv.lock", "README.md"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def removed(text):
    """The packages that uv would take out and not put back in another version."""
    lines = [line.split() for line in text.splitlines()]
    gone, came = ({line[1].partition("==")[0] for line in lines if line[:1] == [sign]} for sign in "-+")
    return gone - came


def test_a_plain_sync_keeps_what_an_operator_needs(copy):
    gone = removed(uv("sync", "--dry-run", cwd=copy))
    assert "ruff" in gone
    assert not gone & OPERATOR


def test_a_plain_sync_installs_what_an_operator_needs(copy):
    listed = uv("export", "--no-hashes", "--no-emit-project", "--no-header", "--no-annotate", "--quiet", cwd=copy)
    assert {line.partition("==")[0] for line in listed.splitlines()} >= OPERATOR
