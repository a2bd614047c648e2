import ast
import io
import json
import subprocess
import sys
import zipfile

import pytest

from provision.reach import programs


def test_the_zip_is_the_same_bytes_at_any_time():
    with zipfile.ZipFile(io.BytesIO(programs.packed())) as archive:
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    assert programs.packed() == programs.packed()


@pytest.mark.root
def test_the_installer_needs_no_other_file_and_refuses_a_host_that_the_plan_did_not_see(tmp_path):
    program = tmp_path / "installer"
    program.write_bytes(programs.packed())
    # It takes its host's lock: here that of a host that has nothing but this machine's programs.
    own_locks = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs tmpfs /run/lock && exec "$@"', "sh"]
    done = subprocess.run(
        [*own_locks, sys.executable, "-I", str(program)],
        input=json.dumps({"seen": "another"}), capture_output=True, text=True, check=False, cwd="/",
    )  # fmt: skip
    assert done.returncode == 1
    assert "the host changed since the plan: current was another, now it is None" in json.loads(done.stdout)["failed"]


@pytest.mark.process
def test_a_program_runs_from_standard_input_and_leaves_no_file(tmp_path):
    command = [sys.executable, "-I", "-"]
    source = programs.call("secret_store", {"folder": str(tmp_path / 'it\'s "none" \\ {here}')})
    done = subprocess.run(command, input=source, capture_output=True, check=False, cwd=tmp_path)
    assert (done.returncode, json.loads(done.stdout)) == (0, {"held": []}), done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.process
def test_half_a_program_does_nothing():
    """A connection may break while it is sent."""
    source = programs.call("secret_store", {"folder": "/nowhere"})
    for cut in (len(source) // 2, len(source) - 10):
        done = subprocess.run([sys.executable, "-I", "-"], input=source[:cut], capture_output=True, check=False)
        assert done.returncode == 1
        assert b"SyntaxError" in done.stderr


@pytest.mark.parametrize("path", sorted(programs.ONHOST.glob("*.py")), ids=lambda path: path.name)
def test_what_runs_on_a_host_imports_the_standard_library_and_its_neighbours_only(path):
    nodes = list(ast.walk(ast.parse(path.read_text())))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "." for node in nodes if isinstance(node, ast.ImportFrom)}
    foreign = {name for name in names if name != "provision.onhost" and not name.startswith("provision.onhost.")}
    assert {name.split(".")[0] for name in foreign} <= sys.stdlib_module_names
