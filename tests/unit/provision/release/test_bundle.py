import hashlib
import io
import json
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from provision.release import bundle
from provision.system import units

AGENT = "jada-agent.service"
DASHBOARD = "jada-dashboard.service"
UNITS = sorted((Path(bundle.__file__).parent / "files" / "units").iterdir())


@pytest.fixture
def tree(tmp_path):
    files = {
        "agent/__main__.py": "a", "dashboard/page.html": "p", "sync/scripts/auth_ga.py": "s", "wire/types.py": "w",
        "agent/__pycache__/x.pyc": "c", "agent/.hidden": "h", "provision/progress.py": "t", "local/demo.py": "d",
        "jada.local.toml": "[agent]\nturns = 30\n[deploy]\n",
    }  # fmt: skip
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    return tmp_path


def _collect(tree, lock="lock1"):
    return bundle.collect(tree, tree / "jada.local.toml", lock)


def test_a_release_has_the_parts_their_units_settings_and_scripts_and_nothing_else(tree):
    names = set(_collect(tree).files)
    assert {"app/agent/__main__.py", "app/dashboard/page.html", "app/wire/types.py", "scripts/auth_ga.py"} <= names
    assert {"etc/jada.toml", "etc/port-sheet-sync", "etc/sysusers.d/jada.conf", f"units/{AGENT}"} <= names
    assert not [
        name for name in names if "pycache" in name or "hidden" in name or "provision" in name or "local" in name
    ]


def test_the_same_content_is_the_same_release_to_the_byte(tree, tmp_path_factory):
    copy = tmp_path_factory.mktemp("copy") / "tree"
    shutil.copytree(tree, copy)
    (copy / "agent" / "__main__.py").touch()
    assert bundle.archive(_collect(tree)) == bundle.archive(_collect(copy))


def test_the_sbom_lies_in_the_release_and_restarts_nothing(tree):
    made = bundle.collect(tree, tree / "jada.local.toml", "lock1", b"{}")
    assert made.files["sbom.cdx.json"] == b"{}"
    assert made.units == _collect(tree).units


@pytest.mark.parametrize("name", ["agent/__main__.py", "wire/types.py", "jada.local.toml"])
def test_any_change_is_another_release(tree, name):
    before = _collect(tree).id
    (tree / name).write_text((tree / name).read_text() + "# changed\n")
    assert _collect(tree).id != before


def test_another_environment_is_another_release(tree):
    assert _collect(tree, "lock2").id != _collect(tree).id


def test_the_manifest_has_every_files_hash(tree):
    made = _collect(tree)
    with tarfile.open(fileobj=io.BytesIO(bundle.archive(made))) as tar:
        content = {info.name: tar.extractfile(info).read() for info in tar}
    manifest = json.loads(content.pop("manifest.json"))
    assert manifest["files"] == {name: hashlib.sha256(data).hexdigest() for name, data in content.items()}
    assert (manifest["id"], manifest["lock"]) == (made.id, "lock1")


@pytest.mark.parametrize(
    ("name", "content", "units"),
    [
        ("agent/__main__.py", "b", {AGENT}),
        ("wire/types.py", "b", set(units.UNITS)),
        ("jada.local.toml", "[agent]\nturns = 31\n[deploy]\n", {AGENT, DASHBOARD}),
        ("jada.local.toml", "[agent]\nturns = 30\n[deploy]\nkeep_releases = 4\n", set()),
        ("jada.local.toml", "# a comment\n[agent]\nturns = 30\n[deploy]\n", set()),
        ("sync/scripts/auth_ga.py", "b", {"port-sheet-sync.service"}),
    ],
)
def test_a_change_touches_the_units_that_depend_on_it(tree, name, content, units):
    before = _collect(tree).units
    (tree / name).write_text(content)
    after = _collect(tree).units
    assert {unit for unit in after if before[unit] != after[unit]} == units


@pytest.fixture
def handbook(tree):
    """The settings name a folder beside themselves for tools to read."""
    (tree / "handbook" / "prices").mkdir(parents=True)
    (tree / "handbook" / "prices" / "double.csv").write_text("80")
    (tree / "jada.local.toml").write_text('[agent]\nreference = "handbook"\n')
    return tree / "handbook"


def test_what_tools_may_read_goes_along_and_a_change_of_it_restarts_the_worker_only(tree, handbook):
    before = _collect(tree)
    assert before.files["reference/handbook/prices/double.csv"] == b"80"
    (handbook / "prices" / "double.csv").write_text("90")
    after = _collect(tree)
    assert {unit for unit in after.units if before.units[unit] != after.units[unit]} == {AGENT}
    assert after.id != before.id


def test_a_folder_that_is_on_the_host_does_not_go_along(tree, handbook):
    (tree / "jada.local.toml").write_text(f'[agent]\nreference = "{handbook}"\n')
    assert not [name for name in _collect(tree).files if name.startswith("reference")]


@pytest.mark.process
@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_systemd_finds_nothing_wrong_with_a_unit(unit, tmp_path):
    # The release's own Python is not on this machine; another stands for it.
    text = unit.read_text().replace("/opt/jada-agent/current/venv/bin/python", sys.executable)
    (tmp_path / unit.name).write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(tmp_path / unit.name)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.parametrize("name", [AGENT, "jada-dashboard.service"])
def test_the_watchdog_leaves_a_throttled_host_its_time(name):
    text = next(path for path in UNITS if path.name == name).read_text()
    assert "WatchdogSec=60\n" in text
    assert "WatchdogSignal=SIGKILL\n" in text
    assert "Restart=always\n" in text
