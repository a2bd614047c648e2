import subprocess
import sys

import pytest

pytestmark = pytest.mark.process

MAIN = "def main():\n    print('of this release')\n    return 3\n"


@pytest.mark.parametrize(("name", "module"), [("port_sheet_sync.py", "__main__.py"), ("auth_ga.py", "auth_ga.py")])
def test_a_script_runs_the_sync_of_its_own_release_also_through_links(tmp_path, pytestconfig, name, module):
    release = tmp_path / "releases" / "1"
    for folder in ("scripts", "app/sync"):
        (release / folder).mkdir(parents=True)
    (release / "app" / "sync" / "__init__.py").touch()
    (release / "app" / "sync" / module).write_text(MAIN)
    (release / "scripts" / name).write_text((pytestconfig.rootpath / "sync" / "scripts" / name).read_text())
    (tmp_path / "scripts").symlink_to(release / "scripts")
    command = [sys.executable, tmp_path / "scripts" / name]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (3, "of this release\n")
