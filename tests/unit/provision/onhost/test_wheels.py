import os
import zipfile

import pytest

from provision.onhost import wheels
from provision.onhost.errors import SystemStepFailed


def put(tmp_path, files, name="lonely-1-py3-none-any.whl"):
    """Unpack a wheel of these files (name → content, or content and mode) and return where."""
    with zipfile.ZipFile(tmp_path / name, "w") as packed:
        for path, content in files.items():
            text, mode = content if isinstance(content, tuple) else (content, 0o644)
            info = zipfile.ZipInfo(path)
            info.external_attr = (0o100000 | mode) << 16
            packed.writestr(info, text)
    site = tmp_path / "site"
    site.mkdir()
    wheels.place(tmp_path / name, site)
    return site


def below(folder):
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_what_is_for_the_folder_of_packages_is_there_and_commands_are_not(tmp_path):
    files = {
        "lonely/__init__.py": "1",
        "lonely-1.dist-info/METADATA": "Name: lonely",
        "lonely-1.data/purelib/lonely/pure.py": "2",
        "lonely-1.data/platlib/lonely/plat.so": "3",
        "lonely-1.data/scripts/lonely": "4",
        "lonely-1.data/headers/lonely.h": "5",
        "lonely-1.data/data/share/lonely": "6",
    }
    assert below(put(tmp_path, files)) == {
        "lonely/__init__.py": "1",
        "lonely/pure.py": "2",
        "lonely/plat.so": "3",
        "lonely-1.dist-info/METADATA": "Name: lonely",
    }


def test_a_program_inside_of_a_package_stays_one(tmp_path):
    site = put(tmp_path, {"lonely/tool": ("#!", 0o755), "lonely/text": "", "lonely/odd": ("", 0o4777)})
    modes = {path.name: path.stat().st_mode & 0o7111 for path in (site / "lonely").iterdir()}
    assert modes == {"tool": 0o111, "text": 0, "odd": 0o111}


def test_nothing_of_a_wheel_comes_to_lie_elsewhere(tmp_path):
    names = ("../out", "/out", "lonely-1.data/purelib/../../out")
    put(tmp_path, dict.fromkeys(names, ""))
    assert not (tmp_path / "out").exists()
    assert not os.path.lexists("/out")


@pytest.mark.parametrize(
    ("tags", "does"),
    [
        ("py3-none-any", True),
        ("py2.py3-none-any", True),
        ("py2-none-any", False),
        ("cp311-cp311-manylinux2014_x86_64.manylinux_2_17_x86_64", True),
        ("cp312-cp312-manylinux_2_17_x86_64", False),
        ("cp39-abi3-manylinux_2_34_x86_64", True),
        ("cp311-abi3-manylinux_2_34_x86_64", True),
        ("cp312-abi3-manylinux_2_34_x86_64", False),
        ("cp311-cp311-manylinux_2_17_aarch64", False),
        ("py3-none-manylinux_2_17_x86_64", True),
    ],
)
def test_a_wheel_is_for_a_python_and_a_machine(tags, does):
    assert wheels.fits(f"some_name-1.0-{tags}.whl", (3, 11), "x86_64") is does
    assert wheels.fits(f"some_name-1.0-1build-{tags}.whl", (3, 11), "x86_64") is does


def test_one_that_is_for_another_is_refused(tmp_path):
    with pytest.raises(SystemStepFailed, match="is not for this host's Python 3"):
        put(tmp_path, {}, "lonely-1-cp27-cp27mu-linux_x86_64.whl")
