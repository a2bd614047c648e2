import os

import pytest

from provision.onhost import durable


def test_a_link_replaces_a_link_and_a_file(tmp_path):
    (tmp_path / "x").write_text("a file of somebody's")
    durable.link(tmp_path / "x", "one")
    durable.link(tmp_path / "x", "two")
    assert str((tmp_path / "x").readlink()) == "two"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_file_is_replaced_with_its_mode_whatever_the_umask(tmp_path):
    before = os.umask(0o077)
    try:
        durable.write(tmp_path / "made" / "file", b"one", 0o644)
        durable.write(tmp_path / "made" / "file", b"two", 0o644)
    finally:
        os.umask(before)
    file = tmp_path / "made" / "file"
    assert (file.read_bytes(), file.stat().st_mode & 0o777) == (b"two", 0o644)
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.parametrize("left", ["file", "link"])
def test_what_a_cut_off_one_left_is_no_obstacle(tmp_path, left):
    (tmp_path / ".file.new").write_text("half") if left == "file" else (tmp_path / ".file.new").symlink_to("/nowhere")
    durable.write(tmp_path / "file", b"whole", 0o600)
    durable.link(tmp_path / "link", "target")
    assert (tmp_path / "file").read_bytes() == b"whole"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "link"]


def test_a_folder_in_a_links_place_is_moved_aside_with_what_is_in_it(tmp_path):
    for number in (1, 2):
        (tmp_path / "jada").unlink(missing_ok=True)
        (tmp_path / "jada").mkdir()
        (tmp_path / "jada" / "somebodys").touch()
        durable.link(tmp_path / "jada", "target")
        assert (tmp_path / f"jada.moved-{number}" / "somebodys").exists()
    assert str((tmp_path / "jada").readlink()) == "target"


def test_a_folder_that_is_placed_is_there_at_every_moment_and_what_was_there_is_left_beside(tmp_path):
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "new").touch()
    durable.place(tmp_path / "half", tmp_path / "folder")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
    (tmp_path / "half").mkdir()
    durable.place(tmp_path / "half", tmp_path / "folder")
    assert (tmp_path / "half" / "new").exists()
    assert list((tmp_path / "folder").iterdir()) == []


def test_a_removed_file_may_be_removed_again(tmp_path):
    durable.write(tmp_path / "file", b"", 0o600)
    durable.remove(tmp_path / "file")
    durable.remove(tmp_path / "file")
    durable.remove(tmp_path / "none" / "file")
    assert list(tmp_path.iterdir()) == []
