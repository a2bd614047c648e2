"""What an interrupted build leaves is never taken for a tool."""

from local import tools


def fill(half):
    (half / "tool").write_text("whole")


def test_what_is_built_appears_whole(tmp_path):
    with tools._whole(tmp_path / "engine") as half:
        fill(half)
        assert not (tmp_path / "engine").exists()
    assert (tmp_path / "engine" / "tool").read_text() == "whole"


def test_what_is_there_is_not_built_again(tmp_path):
    (tmp_path / "engine").mkdir()
    with tools._whole(tmp_path / "engine") as half:
        assert half is None


def test_an_interrupted_build_starts_from_nothing(tmp_path):
    building = tools._whole(tmp_path / "engine")
    fill(building.__enter__())
    building.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    with tools._whole(tmp_path / "engine") as half:
        assert list(half.iterdir()) == []
