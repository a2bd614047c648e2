"""When a release or an environment counts as whole: each way in which one was found damaged."""

import contextlib
import hashlib
import json
import os
import shutil

import pytest

from provision.onhost import durable, whole


@pytest.fixture
def release(tmp_path):
    venv, folder = tmp_path / "venvs" / "lock", tmp_path / "releases" / "r1"
    (venv / "bin").mkdir(parents=True)
    (venv / "bin" / "python").write_text("a program")
    (venv / whole.MARK).write_bytes(whole.mark(venv))
    (folder / "app").mkdir(parents=True)
    (folder / "app" / "a.py").write_text("a = 1")
    digest = hashlib.sha256(b"a = 1").hexdigest()
    (folder / "manifest.json").write_text(json.dumps({"lock": "lock", "units": {}, "files": {"app/a.py": digest}}))
    durable.link(folder / "venv", str(venv))
    return folder


def test_a_release_as_it_was_made_is_whole(release):
    assert whole.damage(release) == []
    assert whole.is_whole(release)


def test_a_file_that_goes_while_a_release_is_looked_at_is_named(release, monkeypatch):
    (release / whole.SEAL).write_bytes(whole.seal(release))
    walk = os.walk
    # What is listed and is gone at the next look: an installer removes the release, or somebody the file.
    monkeypatch.setattr(os, "walk", lambda folder: [*walk(folder), (f"{folder}/app", [], ["gone.py"])])
    assert whole.damage(release) == []
    (release / "app" / "a.py").unlink()
    assert whole.damage(release) == ["app/a.py"]


def test_an_environment_of_which_a_file_goes_meanwhile_is_not_whole(release, monkeypatch):
    venv, scandir = release / "venv", os.scandir

    def late(folder):
        found = list(scandir(folder))
        if any(entry.name == "python" for entry in found):
            (venv / "bin" / "python").unlink()
        return contextlib.nullcontext(found)

    (venv / whole.MARK).write_bytes(whole.mark(venv))
    monkeypatch.setattr(os, "scandir", late)
    assert not whole.is_whole_venv(venv)


def test_a_mark_that_is_no_text_is_none(release):
    (release / "venv" / whole.MARK).write_bytes(b"\xff")
    assert not whole.is_whole(release)


@pytest.mark.parametrize("left", ["", "{", "[]", "{}", "null", "\\xff"])
def test_a_manifest_that_is_empty_or_none_is_named(release, left):
    (release / "manifest.json").write_text(left)
    assert whole.damage(release) == ["manifest.json"]


@pytest.mark.parametrize(
    ("do", "named"),
    [
        (lambda release: (release / "manifest.json").unlink(), "manifest.json"),
        (lambda release: (release / "app" / "a.py").write_text("b"), "app/a.py"),
        (lambda release: (release / "app" / "a.py").unlink(), "app/a.py"),
        (lambda release: (release / "venv").unlink(), "venv"),
    ],
)
def test_what_is_damaged_is_named(release, do, named):
    do(release)
    assert whole.damage(release) == [named]
    assert not whole.is_whole(release)


@pytest.mark.parametrize(
    "do",
    [
        shutil.rmtree,
        lambda venv: (venv / whole.MARK).unlink(),
        lambda venv: (venv / "bin" / "python").unlink(),
        lambda venv: (venv / "bin" / "more").touch(),
        lambda venv: (venv / "bin" / "python").write_text("another program"),
        lambda venv: (venv / "bin" / "python").chmod(0o777),
    ],
)
def test_an_environment_that_lost_or_changed_something_is_not_whole(release, do):
    do((release / "venv").resolve())
    assert not whole.is_whole_venv(release / "venv")
    assert not whole.is_whole(release)


def test_the_mark_of_a_release_from_before_says_no_more_than_it_can(release):
    venv = (release / "venv").resolve()
    (venv / whole.MARK).write_text("")
    assert whole.is_whole_venv(venv)
    shutil.rmtree(venv / "bin")
    assert not whole.is_whole_venv(venv)


def test_the_mark_of_an_earlier_release_is_a_listing_alone(release):
    venv = release / "venv"
    (venv / whole.MARK).write_text(whole.older_listing(venv))
    assert whole.is_whole_venv(venv)
    (venv / "bin" / "python").write_text("another program")
    assert not whole.is_whole_venv(venv)


def test_a_file_of_an_environment_that_changed_is_found_although_size_and_times_are_as_before(release):
    program = release / "venv" / "bin" / "python"
    was = program.stat()
    program.write_text("A program")
    os.utime(program, ns=(was.st_atime_ns, was.st_mtime_ns))
    assert not whole.is_whole_venv(release / "venv")


def test_a_file_that_was_only_touched_is_no_difference(release):
    program = release / "venv" / "bin" / "python"
    os.utime(program, ns=(1, 1))
    assert whole.is_whole_venv(release / "venv")
    assert whole.is_whole_venv(release / "venv", fully=True)


def test_in_full_an_environment_is_read_whatever_its_listing_says(release):
    venv = release / "venv"
    (venv / "bin" / "python").write_text("another program")
    mark = {**json.loads((venv / whole.MARK).read_text()), "listing": whole.listing(venv)}
    (venv / whole.MARK).write_text(json.dumps(mark))
    assert whole.is_whole_venv(venv)
    assert not whole.is_whole_venv(venv, fully=True)


@pytest.mark.parametrize(
    ("do", "named"),
    [
        (lambda release: (release / "app" / "b.py").write_text("b = 1"), "app/b.py"),
        (lambda release: (release / "app" / "a.pyc").write_text("other"), "app/a.pyc"),
        (lambda release: (release / "app" / "a.py").chmod(0o666), "app/a.py"),
        (lambda release: (release / "app" / "a.pyc").unlink(), "app/a.pyc"),
    ],
    ids=["added", "compiled anew", "open to all", "taken out"],
)
def test_what_is_not_as_a_sealed_release_was_finished_is_named(release, do, named):
    (release / "app" / "a.pyc").write_text("compiled")
    (release / whole.SEAL).write_bytes(whole.seal(release))
    assert whole.damage(release) == []
    do(release)
    assert whole.damage(release) == [named]
