import hashlib
import io
import json
import os
import shutil
import sys
import tarfile
import zipfile

import pytest

from provision.onhost import durable, probe, tree, whole
from provision.onhost.errors import ContentDamaged


def _tar(files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


def _release(home, name, lock):
    (home / "releases" / name).mkdir(parents=True)
    (home / "venvs" / lock).mkdir(parents=True, exist_ok=True)
    durable.link(home / "releases" / name / "venv", str(home / "venvs" / lock))


def test_a_damaged_upload_is_refused(tmp_path):
    (tmp_path / "x").write_bytes(b"torn")
    with pytest.raises(ContentDamaged, match="damaged"):
        tree.read_verified(tmp_path / "x", hashlib.sha256(b"whole").hexdigest())


def test_an_upload_that_is_gone_is_reported_as_such(tmp_path):
    with pytest.raises(ContentDamaged, match="gone"):
        tree.read_verified(tmp_path / "x", "")


@pytest.fixture
def venv(tmp_path):
    """An environment that was made to its end."""
    folder = tmp_path / "venvs" / "lock"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").write_text("a program")
    (folder / whole.MARK).write_bytes(whole.mark(folder))
    return folder


def _archive(files):
    """A release's archive, with the manifest that fits."""
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    manifest = json.dumps({"lock": "lock", "units": {}, "files": digests}).encode()
    return _tar({**files, "manifest.json": manifest})


def test_a_release_appears_whole(tmp_path, venv):
    release = tmp_path / "releases" / "r1"
    tree.place_release(_archive({"app/a.py": b"a = 1"}), release, venv)
    assert [path.name for path in release.parent.iterdir()] == ["r1"]
    assert whole.is_whole(release)


def test_a_release_gets_its_name_only_when_it_is_finished(tmp_path, venv):
    release = tmp_path / "releases" / "r1"
    archive = _tar({"app/a.py": b"a = 1", "manifest.json": json.dumps({"files": {"app/a.py": "other"}}).encode()})
    with pytest.raises(ContentDamaged):
        tree.place_release(archive, release, venv)
    assert not release.exists()
    tree.place_release(_archive({"app/a.py": b"a = 1"}), release, venv)
    assert whole.is_whole(release)


def test_a_damaged_release_changes_places_with_a_whole_one(tmp_path, venv):
    release = tmp_path / "releases" / "r1"
    release.mkdir(parents=True)
    (release / "odd").touch()
    tree.place_release(_archive({"app/a.py": b"a = 1"}), release, venv)
    assert not (release / "odd").exists()
    assert [path.name for path in release.parent.iterdir()] == ["r1"]


def test_a_torn_archive_leaves_no_folder_under_its_name(tmp_path, venv):
    with pytest.raises(tarfile.TarError):
        tree.place_release(_tar({"a": b"x" * 2000})[:1000], tmp_path / "r1", venv)
    assert not (tmp_path / "r1").exists()


def test_a_file_that_differs_from_the_manifest_is_found(tmp_path):
    (tmp_path / "manifest.json").write_text(json.dumps({"files": {"a": hashlib.sha256(b"a").hexdigest()}}))
    (tmp_path / "a").write_bytes(b"b")
    with pytest.raises(ContentDamaged):
        tree.finish_release(tmp_path, tmp_path / "venv")


def test_pruning_keeps_the_named_releases_and_the_environments_they_use(tmp_path):
    for name, lock in [("r1", "old"), ("r2", "new"), ("r3", "new")]:
        _release(tmp_path, name, lock)
    assert sorted(tree.prune(tmp_path, ["r2", "r3"])) == ["releases/r1", "venvs/old"]
    assert sorted(path.name for path in (tmp_path / "releases").iterdir()) == ["r2", "r3"]
    assert [path.name for path in (tmp_path / "venvs").iterdir()] == ["new"]


def test_pruning_meets_what_is_damaged(tmp_path):
    _release(tmp_path, "r2", "lock")
    (tmp_path / "releases" / "without-environment").mkdir()
    (tmp_path / "releases" / ".r3.half").mkdir()
    (tmp_path / "releases" / "a-file").touch()
    assert sorted(tree.prune(tmp_path, ["r2"])) == ["releases/a-file", "releases/without-environment"]
    assert [path.name for path in (tmp_path / "releases").iterdir()] == ["r2"]


def test_what_goes_loses_its_name_before_its_first_file(tmp_path, monkeypatch):
    _release(tmp_path, "r1", "old")
    _release(tmp_path, "r2", "new")
    # A power cut, or a look from outside, before anything of it is removed.
    monkeypatch.setattr(shutil, "rmtree", lambda path: None)
    tree.prune(tmp_path, ["r2"])
    assert probe.releases(tmp_path / "releases").keys() == {"r2"}
    assert {path.name for path in (tmp_path / "venvs").glob("[!.]*")} == {"new"}
    monkeypatch.undo()
    _release(tmp_path, "r1", "old")
    assert sorted(tree.prune(tmp_path, ["r2"])) == ["releases/r1", "venvs/old"]
    assert [path.name for path in (tmp_path / "releases").iterdir()] == ["r2"]
    assert [path.name for path in (tmp_path / "venvs").iterdir()] == ["new"]


def test_pruning_again_removes_nothing(tmp_path):
    _release(tmp_path, "r1", "lock")
    assert tree.prune(tmp_path, ["r1"]) == []


def test_uploads_that_were_used_or_left_go_and_those_of_a_later_deploy_stay(tmp_path):
    for name, age in [("used", 0), ("left", tree.LEFT_S + 1), ("later", 1)]:
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (10_000 - age, 10_000 - age))
    tree.tidy_uploads(tmp_path, [str(tmp_path / "used")], now=10_000)
    assert [path.name for path in tmp_path.iterdir()] == ["later"]
    tree.tidy_uploads(tmp_path / "none", [], now=10_000)


@pytest.mark.process
def test_an_environment_is_made_of_what_the_lock_names_and_nothing_else(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "pycache_prefix", None)  # no host has it: what is compiled lies beside its source
    wheel = _wheel("lonely", "Metadata-Version: 2.1\nName: lonely\nVersion: 1\nRequires-Dist: another\n")
    wheels = {"lonely-1-py3-none-any.whl": wheel}
    tree.make_venv(_tar({**wheels, "requirements.txt": _locked(wheels)}), tmp_path / "venv")
    (site,) = (tmp_path / "venv" / "lib").glob("python3*/site-packages")
    assert {path.name for path in site.iterdir()} == {"lonely.py", "lonely-1.dist-info", "__pycache__"}
    assert [path.name for path in (site / "__pycache__").iterdir()] == [f"lonely.{sys.implementation.cache_tag}.pyc"]
    assert whole.is_whole_venv(tmp_path / "venv", fully=True)


@pytest.mark.process
def test_an_environment_that_lacks_a_wheel_is_not_made(tmp_path):
    locked = b"lonely==1 --hash=sha256:0\nelsewhere==2 ; sys_platform == 'win32' \\\n    --hash=sha256:0\n"
    with pytest.raises(ContentDamaged, match="no wheel of lonely 1, which"):
        tree.make_venv(_tar({"requirements.txt": locked}), tmp_path / "venv")
    assert not (tmp_path / "venv").exists()


def _locked(wheels):
    """The list that names these wheels."""
    pins = [name.split("-")[:2] for name in wheels]
    digests = [hashlib.sha256(content).hexdigest() for content in wheels.values()]
    lines = [
        f"{name}=={version} --hash=sha256:{digest}\n" for (name, version), digest in zip(pins, digests, strict=True)
    ]
    return "".join(lines).encode()


@pytest.mark.process
def test_a_wheel_that_is_not_the_locks_is_refused_before_anything_of_it_runs(tmp_path):
    ran = tmp_path / "ran"
    program = f"open({str(ran)!r}, 'w').close()\n"
    changed = "lonely-1-py3-none-any.whl"
    wheels = {changed: _wheel("lonely", "")}
    locked = _locked(wheels)
    wheels[changed] = _zip({"lonely.py": program, "lonely.pth": f"import os; {program}"})
    with pytest.raises(ContentDamaged, match=f"{changed} is not what the lock names: nothing of it was run"):
        tree.make_venv(_tar({**wheels, "requirements.txt": locked}), tmp_path / "venv")
    assert not ran.exists()
    assert not (tmp_path / "venv" / whole.MARK).exists()


@pytest.mark.process
def test_what_is_no_wheel_of_the_lock_has_no_place_beside_them(tmp_path):
    wheels = {"lonely-1-py3-none-any.whl": _wheel("lonely", "")}
    with pytest.raises(ContentDamaged, match=r"sitecustomize\.py"):
        tree.make_venv(
            _tar({**wheels, "sitecustomize.py": b"", "requirements.txt": _locked(wheels)}), tmp_path / "venv"
        )


def _zip(files):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        for name, content in files.items():
            file.writestr(name, content)
    return out.getvalue()


def _wheel(name, metadata):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr(f"{name}.py", "")
        file.writestr(f"{name}-1.dist-info/METADATA", metadata)
        file.writestr(f"{name}-1.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(f"{name}-1.dist-info/RECORD", "")
    return out.getvalue()
