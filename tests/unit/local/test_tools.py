"""What an interrupted build leaves is never taken for a tool."""

import io
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from local import tools
from local.account import Account
from local.process import wait_until
from local.steps import StepFailed, Steps

PATIENCE_S = 60


def fill(half):
    (half / "tool").write_text("whole")


@pytest.fixture
def steps(tmp_path):
    return Steps(tmp_path / "logs")


def test_what_is_built_appears_whole(tmp_path, steps):
    with tools._whole(tmp_path / "engine", steps) as half:
        fill(half)
        assert not (tmp_path / "engine").exists()
    assert (tmp_path / "engine" / "tool").read_text() == "whole"


def test_what_is_there_is_not_built_again(tmp_path, steps):
    (tmp_path / "engine").mkdir()
    with tools._whole(tmp_path / "engine", steps) as half:
        assert half is None


def test_an_interrupted_build_starts_from_nothing(tmp_path, steps):
    building = tools._whole(tmp_path / "engine", steps)
    fill(building.__enter__())
    building.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    with tools._whole(tmp_path / "engine", steps) as half:
        assert list(half.iterdir()) == []


BUILDER = """
import sys
from pathlib import Path
from local import tools
from local.steps import Steps

folder = Path(sys.argv[1])
steps = Steps(folder / "logs")
with tools._whole(folder / "engine", steps) as half:
    steps.run("build", ["sh", "-c", f": > {half}/begun; : < {folder}/gate; : > {half}/late"])
"""


@pytest.mark.process
def test_what_a_killed_build_still_runs_is_waited_for_and_its_half_removed(tmp_path, steps):
    os.mkfifo(tmp_path / "gate")
    half = tmp_path / ".engine.half"
    with subprocess.Popen([sys.executable, "-c", BUILDER, tmp_path]) as builder:
        assert wait_until((half / "begun").exists, PATIENCE_S)
        builder.kill()
    lines, found = io.StringIO(), []
    steps.console.file = lines

    def build_again():
        with tools._whole(tmp_path / "engine", steps) as again:
            found.extend(again.iterdir())
            fill(again)

    second = threading.Thread(target=build_again)
    second.start()
    try:
        assert wait_until(lambda: "another program is making the same" in lines.getvalue(), PATIENCE_S)
    finally:
        (tmp_path / "gate").open("w").close()
        second.join()
    assert found == []
    assert [path.name for path in (tmp_path / "engine").iterdir()] == ["tool"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
@pytest.mark.process
def test_a_half_that_can_t_be_removed_is_named(tmp_path, steps):
    mounted = tmp_path / ".engine.half" / "proc"
    mounted.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "none", mounted], check=True)
    building = tools._whole(tmp_path / "engine", steps)
    try:
        with pytest.raises(StepFailed, match=r"engine\.half can't be removed.*busy"):
            building.__enter__()
    finally:
        subprocess.run(["umount", mounted], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_what_is_built_for_a_user_belongs_to_that_user(tmp_path, steps):
    with tools._whole(tmp_path / "engine", steps, Account("daemon", 1, 1, "/")) as half:
        fill(half)
    assert {(tmp_path / name).stat().st_uid for name in ("engine", ".engine.lock")} == {1}


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "jada"


def program(folder, name, text):
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)


GO = """[ "$1" = env ] && { echo go1.26; exit; }
env | grep -E "^(GO|XDG_CONFIG)" > "$GOPATH/../seen"
touch "$GOMODCACHE/made" 2>/dev/null || mkdir "$GOMODCACHE"
while [ "$1" != -o ]; do shift; done
touch "$2"
"""


@pytest.mark.process
def test_all_that_go_fetches_stays_in_our_folder_and_is_gone_once_the_engine_is_built(cache, tmp_path, monkeypatch):
    program(tmp_path / "bin", "go", GO)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    assert (tools.engine(Steps(tmp_path / "logs")) / "pulumi").exists()
    seen = dict(line.split("=", 1) for line in (cache / "seen").read_text().splitlines())
    for name in ("GOPATH", "GOMODCACHE", "GOCACHE", "GOTMPDIR", "XDG_CONFIG_HOME"):
        assert Path(seen[name]).is_relative_to(cache / "go")
    assert not (cache / "go").exists()


def test_the_cache_says_what_it_holds_and_is_removed_whole(cache):
    (cache / "images" / "one").mkdir(parents=True)
    (cache / "images" / "one" / "file").write_bytes(b"x" * 100_000)
    (cache / ".engine.lock").touch()
    assert list(tools.sizes()) == ["images"]
    assert 100_000 <= tools.sizes()["images"] < 130_000
    tools.clean()
    assert not cache.exists()
    assert tools.sizes() == {}


def test_what_root_compiled_in_its_own_cache_goes_with_the_users(cache, tmp_path):
    roots = tmp_path / "root" / "bytecode"
    for folder in (cache / "images", roots):
        folder.mkdir(parents=True)
    assert list(tools.sizes([roots])) == ["images", str(roots)]
    tools.clean([roots])
    assert not cache.exists()
    assert not roots.exists()
    assert tools.sizes([roots]) == {}
    tools.clean([roots])


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
@pytest.mark.process
@pytest.mark.parametrize("whose", ["jada", "root"])
def test_a_cache_from_which_a_host_runs_stays_whole(cache, tmp_path, whose):
    for name in ("jada/image", "root/image", "upper", "work", "merged"):
        (tmp_path / name).mkdir(parents=True)
    layers = f"lowerdir={tmp_path / whose / 'image'},upperdir={tmp_path / 'upper'},workdir={tmp_path / 'work'}"
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o", layers, tmp_path / "merged"], check=True)
    try:
        with pytest.raises(StepFailed, match=f"runs from an image in {tmp_path / whose}: `.*make down` first"):
            tools.clean([tmp_path / "root"])
    finally:
        subprocess.run(["umount", tmp_path / "merged"], check=True)
    assert all((tmp_path / name / "image").is_dir() for name in ("jada", "root"))


def test_what_an_environment_still_uses_is_not_counted_as_freed(cache, tmp_path):
    (cache / "uv").mkdir(parents=True)
    (cache / "uv" / "file").write_bytes(b"x" * 100_000)
    os.link(cache / "uv" / "file", tmp_path / "file")
    assert tools.sizes()["uv"] < 20_000


def test_a_file_that_is_not_pinned_is_refused_with_what_it_came_with(tmp_path):
    for line in (tools.DYNAMODB / tools.SUMS).read_text().splitlines():
        (tmp_path / line.split()[1]).touch()
    tools._require_nothing_else(tmp_path)
    (tmp_path / "more-1.0.jar").touch()
    with pytest.raises(StepFailed, match=r"more-1\.0\.jar"):
        tools._require_nothing_else(tmp_path)


MAVEN = """case "$*" in *-DoutputDirectory=*) ;; *) exit 1 ;; esac
for option in "$@"; do case $option in -DoutputDirectory=*) folder=${option#*=} ;; esac; done
test -d "$folder/.maven" || exit 1
echo other > "$folder/DynamoDBLocal-3.1.0.jar"
"""


@pytest.mark.process
def test_a_database_that_is_not_what_was_pinned_is_refused(cache, tmp_path, monkeypatch):
    program(tmp_path / "bin", "mvn", MAVEN)
    program(tmp_path / "bin", "java", "")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    with pytest.raises(StepFailed, match="dynamodb-check"):
        tools.dynamodb(Steps(tmp_path / "logs"))
    assert not tools.dynamodb_folder().exists()


@pytest.fixture
def beside(tmp_path, monkeypatch):
    """A cache with two folders, and another program that does `acts` just before one of the calls that remove them."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    acts, inner = {}, tmp_path / "jada" / "bytecode" / "tests"
    inner.mkdir(parents=True)

    def before(call, arguments):
        if call in acts and str(arguments[0]).endswith("tests"):
            acts[call](inner)

    # It can't be taken back: without acts it does nothing.
    sys.addaudithook(before)
    yield acts, tmp_path / "jada"
    acts.clear()


def write(inner):
    (inner / f"{time.monotonic_ns()}.pyc").touch()


def test_what_is_written_while_the_cache_is_removed_is_removed_too(beside):
    acts, cache = beside

    def once(inner):
        acts.clear()
        write(inner)

    acts["os.rmdir"] = once
    tools.clean()
    assert not cache.exists()


def test_a_cache_into_which_another_program_goes_on_writing_is_told(beside):
    acts, cache = beside
    acts["os.rmdir"] = write
    with pytest.raises(StepFailed, match=f"another program writes into {cache}"):
        tools.clean()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_what_another_program_takes_away_is_no_users(beside):
    acts, cache = beside

    def once(inner):
        acts.clear()
        inner.rmdir()

    acts["os.scandir"] = once
    Account("daemon", 1, 1, "/").reclaim(cache)
    assert (cache / "bytecode").stat().st_uid == 1


@pytest.mark.parametrize("call", ["os.scandir", "os.rmdir"])
def test_what_another_program_takes_away_while_it_is_removed_counts_nothing(beside, call):
    acts, cache = beside

    def once(inner):
        acts.clear()
        inner.rmdir()

    acts[call] = once
    assert tools.sizes().keys() == {"bytecode"}
    tools.clean()
    assert not cache.exists()
