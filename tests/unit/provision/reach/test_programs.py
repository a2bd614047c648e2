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
    (tmp_path / "program").write_bytes(programs.packed())
    (tmp_path / "orders.json").write_text(json.dumps({"id": "r1", "seen": "another"}))
    command = [sys.executable, "-I", str(tmp_path / "program"), "install", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
    assert done.returncode == 1, done.stderr
    (said,) = (tmp_path / "events").read_text().splitlines()
    assert "the host changed since the plan: current was another, now it is None" in json.loads(said)["failed"]


@pytest.mark.process
@pytest.mark.parametrize(("said", "looks_for"), [('{"proven": "r1"}', ""), ('{"begin": "a step"}', "orders.json")])
def test_after_an_installers_last_word_nothing_more_is_looked_for(tmp_path, said, looks_for):
    (tmp_path / "program").write_bytes(programs.packed())
    (tmp_path / "events").write_text(f"{said}\n")
    command = [sys.executable, "-I", str(tmp_path / "program"), "ended", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
    assert (done.returncode != 0, looks_for in done.stderr) == (bool(looks_for), True)


@pytest.mark.process
def test_a_program_that_stands_alone_needs_no_other_file_either(tmp_path):
    """At boot there is no release to lean on; here is nothing to go back from."""
    path = tmp_path / "recover.py"
    path.write_text(programs.standalone("recover"))
    done = subprocess.run([sys.executable, "-I", str(path)], capture_output=True, text=True, check=False, cwd="/")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


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
