import grp
import hashlib
from pathlib import Path

import pytest

from provision.onhost import looks
from provision.onhost.looks import see


def _seen(look, *names):
    return see({look: [str(name) for name in names]}, ())[look]


def _owner(path):
    return f"{path.owner()}:{path.group()}"


def test_files_and_links_are_reported_as_they_are(tmp_path):
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to("nowhere")
    (tmp_path / "file").chmod(0o640)
    paths = [tmp_path / name for name in ("file", "link", "none")]
    content = {"content": hashlib.sha256(b"content").hexdigest(), "rights": f"0640 {_owner(tmp_path)}"}
    assert [*_seen("file", *paths).values()] == [content, "a link", None]
    assert [*_seen("link", *paths).values()] == [None, "nowhere", None]


def test_a_folder_where_a_link_belongs_is_reported(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder")
    assert [*_seen("link", tmp_path / "folder", tmp_path / "link").values()] == ["a folder", "folder"]


def test_rights_are_mode_owner_and_group(tmp_path):
    for name, mode in [("tight", 0o700), ("open", 0o755)]:
        (tmp_path / name).mkdir()
        (tmp_path / name).chmod(mode)
    owner = _owner(tmp_path)
    seen = _seen("rights", *(tmp_path / name for name in ("tight", "open", "gone")))
    assert [*seen.values()] == [f"0700 {owner}", f"0755 {owner}", None]


@pytest.mark.process
def test_packages_are_reported_as_installed_or_not():
    assert _seen("package", "dpkg", "no-such-package") == {"dpkg": True, "no-such-package": False}


def test_groups_that_the_login_user_lacks_are_reported_and_root_needs_none(monkeypatch):
    groups = [grp.getgrgid(0).gr_name, "no-such-group"]
    monkeypatch.setenv("SUDO_USER", "no-such-user")
    assert [*_seen("login user's group", *groups).values()] == [False, False]
    monkeypatch.delenv("SUDO_USER")
    assert _seen("login user's group", groups[0]) == {groups[0]: True}


def test_a_file_of_a_daemon_that_a_deploy_just_put_in_place_is_looked_at_by_its_own_name_only(tmp_path, monkeypatch):
    lstat = Path.lstat
    (tmp_path / "jada.conf").write_text("older")
    (tmp_path / ".jada.conf.new").write_text("newer")

    def late(path):
        if path.suffix == ".new":
            path.replace(tmp_path / "jada.conf")
        return lstat(path)

    monkeypatch.setattr(Path, "lstat", late)
    assert looks._changed([str(tmp_path), "/nowhere"]) > 0
    assert [path.name for path in tmp_path.iterdir()] == ["jada.conf"]
