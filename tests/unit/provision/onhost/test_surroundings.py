import os
import re
from pathlib import Path

from provision.onhost import surroundings

NEVER = re.compile(r"(?!)")


def test_a_folder_that_goes_while_an_area_is_walked_is_walked_no_further(tmp_path, monkeypatch):
    listed = os.listdir
    for name in ("a", "b.d", "c"):
        (tmp_path / name).mkdir()

    def late(folder):
        if folder.endswith(".d"):
            Path(folder).rmdir()
        return listed(folder)

    monkeypatch.setattr(os, "listdir", late)
    walked = [*surroundings._walk(str(tmp_path), (), NEVER)]
    assert walked == [str(tmp_path), *(f"{tmp_path}/{name}" for name in ("a", "b.d", "c"))]
    assert surroundings._described(f"{tmp_path}/b.d", {}) == ""
