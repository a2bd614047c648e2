import hashlib
import io
import json
import tarfile

import pytest

from provision.onhost import durable, tree
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


def test_a_folder_appears_whole(tmp_path):
    tree.unpack(_tar({"app/a.py": b"a"}), tmp_path / "r1")
    assert (tmp_path / "r1" / "app" / "a.py").read_bytes() == b"a"
    assert [path.name for path in tmp_path.iterdir()] == ["r1"]


def test_a_damaged_folder_is_replaced(tmp_path):
    (tmp_path / "r1").mkdir()
    (tmp_path / "r1" / "odd").touch()
    tree.unpack(_tar({"a": b"a"}), tmp_path / "r1")
    assert [path.name for path in (tmp_path / "r1").iterdir()] == ["a"]
    assert [path.name for path in tmp_path.iterdir()] == ["r1"]


def test_a_torn_archive_leaves_no_folder_under_its_name(tmp_path):
    with pytest.raises(tarfile.TarError):
        tree.unpack(_tar({"a": b"x" * 2000})[:1000], tmp_path / "r1")
    assert not (tmp_path / "r1").exists()
    tree.unpack(_tar({"a": b"a"}), tmp_path / "r1")
    assert (tmp_path / "r1" / "a").exists()


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


def test_pruning_again_removes_nothing(tmp_path):
    _release(tmp_path, "r1", "lock")
    assert tree.prune(tmp_path, ["r1"]) == []
