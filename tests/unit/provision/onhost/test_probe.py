import grp
import hashlib

import pytest

from provision.onhost import probe
from provision.release import plan

pytestmark = pytest.mark.process


def _asked(**given):
    return {"packages": [], "files": [], "links": [], "folders": {}, "groups": [], "units": [], **given}


def test_the_system_is_named_as_lightsails_blueprints_are():
    name, version = probe.main(_asked())["os"].split("_", 1)
    assert name.islower()
    assert version[0].isdigit()


def test_files_and_links_are_reported_as_they_are(tmp_path):
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to("nowhere")
    paths = [str(tmp_path / name) for name in ("file", "link", "none")]
    seen = probe.main(_asked(files=paths, links=paths))
    assert seen["files"] == dict(zip(paths, [hashlib.sha256(b"content").hexdigest(), None, None], strict=True))
    assert seen["links"] == dict(zip(paths, [None, "nowhere", None], strict=True))


def test_folders_with_other_rights_or_none_are_loose(tmp_path):
    for name, mode in [("tight", 0o700), ("open", 0o755)]:
        (tmp_path / name).mkdir()
        (tmp_path / name).chmod(mode)
    wanted = {str(tmp_path / name): ["0700", tmp_path.owner()] for name in ("tight", "open", "gone")}
    assert probe.main(_asked(folders=wanted))["wrong_rights"] == [str(tmp_path / "open"), str(tmp_path / "gone")]


def test_packages_are_reported_as_installed_or_not():
    assert probe.main(_asked(packages=["dpkg", "no-such-package"]))["packages"] == {
        "dpkg": True,
        "no-such-package": False,
    }


def test_a_plan_reads_what_the_probe_says():
    seen = plan.read_probe(probe.main(plan.probe_request()))
    assert seen.current is None
    assert set(seen.links) == set(plan.LINKS)


def test_a_folder_where_a_link_belongs_is_reported(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder")
    asked = [str(tmp_path / name) for name in ("folder", "link", "none")]
    assert probe.main(_asked(links=asked))["in_the_way"] == asked[:1]


def test_groups_that_the_login_user_lacks_are_reported_and_root_needs_none(monkeypatch):
    groups = [grp.getgrgid(0).gr_name, "no-such-group"]
    monkeypatch.setenv("SUDO_USER", "no-such-user")
    assert probe.main(_asked(groups=groups))["lacks_groups"] == groups
    monkeypatch.delenv("SUDO_USER")
    assert probe.main(_asked(groups=groups))["lacks_groups"] == []
