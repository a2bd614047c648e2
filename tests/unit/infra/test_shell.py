"""A shell of one local cloud in another's folder."""

import shlex

import pytest

from infra.shell import OtherFolder, require_folder_of_the_shell


@pytest.mark.parametrize("name", ["other", "other's"])
def test_the_shell_of_another_folders_local_cloud_is_refused_with_the_way_there(tmp_path, name):
    own = tmp_path / name
    with pytest.raises(OtherFolder) as refused:
        require_folder_of_the_shell("local", str(tmp_path), {"JADA_PROJECT": str(own)})
    told = str(refused.value)
    assert told.startswith(f"this shell acts on the local cloud of {own}, and this is {tmp_path}: `cd ")
    assert shlex.split(told.split("`")[1]) == ["cd", str(own)]


def test_the_shells_own_folder_is_known_by_another_path_and_real_stacks_and_other_shells_have_none(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder")
    shell = {"JADA_PROJECT": str(tmp_path / "folder")}
    require_folder_of_the_shell("local", str(tmp_path / "link"), shell)
    require_folder_of_the_shell("local", str(tmp_path), {})
    require_folder_of_the_shell("local", None, shell)
    require_folder_of_the_shell("prod", str(tmp_path), shell)
