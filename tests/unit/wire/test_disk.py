"""What programs of others leave on a disk, and how it goes."""

import os
from multiprocessing import get_context
from pathlib import Path

import pytest

from tests.trees import nested
from wire.disk import below, remove_tree

SOMEBODY = 65534


def remove_as_somebody(folder, name):
    # There already: what is above may be closed to them.
    os.chdir(folder)
    os.setgroups([])
    os.setgid(SOMEBODY)
    os.setuid(SOMEBODY)
    remove_tree(Path(name))


def test_a_tree_goes_and_what_its_links_lead_to_stays(tmp_path):
    (tmp_path / "outside").mkdir(mode=0o500)
    (tmp_path / "tree/folder").mkdir(parents=True)
    (tmp_path / "tree/link").symlink_to(tmp_path / "outside")
    remove_tree(tmp_path / "tree")
    remove_tree(tmp_path / "missing")
    assert [path.name for path in tmp_path.iterdir()] == ["outside"]


@pytest.mark.process
def test_thousands_of_folders_in_each_other_are_walked_as_far_as_paths_go_and_go(tmp_path):
    with nested(tmp_path / "tree", 3000):
        assert 1000 < sum(1 for _ in below(tmp_path / "tree")) < 3000
        assert sum(1 for _ in below(tmp_path / "tree", 7)) == 7
        remove_tree(tmp_path / "tree")
        assert not (tmp_path / "tree").exists()


def test_a_walk_follows_nothing_and_names_folders_before_what_is_in_them(tmp_path):
    (tmp_path / "b/c").mkdir(parents=True)
    (tmp_path / "b/c/file").touch()
    (tmp_path / "a").symlink_to("b")
    assert [str(path.relative_to(tmp_path)) for path in below(tmp_path)] == ["a", "b", "b/c", "b/c/file"]


@pytest.mark.process
@pytest.mark.root
def test_folders_that_their_owner_can_not_write_in_or_enter_go_too(tmp_path):
    """As a user to whom modes say something; what links lead to keeps its own."""
    tree, outside = tmp_path / "tree", tmp_path / "outside"
    for folder in (tree / "module/inner", tree / "closed/inner", outside):
        folder.mkdir(parents=True)
        (folder / "file").touch()
    (tree / "link").symlink_to(outside)
    for path in (tmp_path, *tmp_path.rglob("*")):
        os.chown(path, SOMEBODY, SOMEBODY, follow_symlinks=False)
    for folder, mode in (
        (tree / "module/inner", 0o555),
        (tree / "module", 0o555),
        (tree / "closed", 0),
        (outside, 0o555),
    ):
        folder.chmod(mode)
    child = get_context("fork").Process(target=remove_as_somebody, args=(tmp_path, "tree"))
    child.start()
    child.join()
    assert child.exitcode == 0
    assert (tree.exists(), (outside / "file").exists(), outside.stat().st_mode & 0o777) == (False, True, 0o555)
