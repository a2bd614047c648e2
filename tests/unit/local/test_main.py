"""The commands as programs: what is wrong is said in a line, before anything is built or removed."""

import os
import pty
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from local import demo
from local.temporary import temporary_site

pytestmark = pytest.mark.process

ROOT = Path(__file__).parents[3]
ROW = "id,hotel,room_type,guest,arrival,departure,nights,adults,children,meal,country,channel,status,rate\n"


def local(*arguments, stdin=None, **environ):
    command = [sys.executable, "-m", "local", *arguments]
    # Tests by sudo act as root's all the same: not for the user whose cache and home another run may be using.
    own = {name: value for name, value in os.environ.items() if name != "SUDO_UID"}
    return subprocess.run(
        command, cwd=ROOT, stdin=stdin, env={**own, **environ}, capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "there is no file "),
        ("", "is no file of bookings: its first line lacks"),
        ("name,price\n1,2\n", "is no file of bookings: its first line lacks"),
        (ROW, "has no bookings, only its first line"),
        (b"\xff\xfe", "is not UTF-8 text"),
    ],
)
def test_a_bad_file_of_bookings_is_refused_before_anything_is_built(tmp_path, content, told):
    file = tmp_path / "it's.csv"
    if content is not None:
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    done = local("demo", "--bookings", str(file), XDG_CACHE_HOME=str(tmp_path / "cache"))
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("jada: BOOKINGS: ")
    assert told in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "cache").exists()


def test_what_others_wrote_acts_on_no_terminal_in_an_error_either():
    done = local("env", SSL_CERT_FILE="/no\x1b[2J.pem")
    assert done.stderr.startswith("jada: there is no file of certificates at /no\\x1b[2J.pem: ")


def test_the_real_model_without_a_key_is_refused(tmp_path):
    done = local("demo", "--claude", "real", ANTHROPIC_API_KEY="", XDG_CACHE_HOME=str(tmp_path / "cache"))
    assert "CLAUDE=real needs ANTHROPIC_API_KEY" in done.stderr
    assert not (tmp_path / "cache").exists()


@pytest.fixture
def programs(tmp_path):
    """A PATH on which what needs root fails, and leaves in the folder with which environment it was started."""
    for name in ("sudo", "unshare"):
        (tmp_path / name).write_text(f'#!/bin/sh\n{{ echo "$@"; env; }} >{tmp_path}/{name}-got\nexit 1\n')
        (tmp_path / name).chmod(0o755)
    return os.pathsep.join([str(tmp_path), os.environ["PATH"]])


@pytest.mark.root
@pytest.mark.parametrize("claude", ["real", "double"])
def test_no_program_that_is_started_has_the_key(tmp_path, programs, claude):
    done = local("demo", "--claude", claude, ANTHROPIC_API_KEY="canary", PATH=programs)
    assert done.stderr.startswith("jada: this machine can't be the cloud:\n")
    assert "canary" not in (tmp_path / "unshare-got").read_text()


@pytest.mark.root
@pytest.mark.parametrize(("claude", "kept"), [("real", True), ("double", False)])
def test_by_sudo_goes_the_key_to_a_demo_that_needs_it(tmp_path, programs, claude, kept):
    env = {**os.environ, "ANTHROPIC_API_KEY": "canary", "PATH": programs}
    # Root's, but in its eyes nobody's.
    command = [shutil.which("unshare"), "--user", sys.executable, "-m", "local", "demo", "--claude", claude]
    subprocess.run(command, cwd=ROOT, env=env, capture_output=True, check=False, timeout=60)
    options, *variables = (tmp_path / "sudo-got").read_text().splitlines()
    assert ("ANTHROPIC_API_KEY" in options, "ANTHROPIC_API_KEY=canary" in variables) == (kept, kept)


def test_env_prints_exports_or_one_refusal_and_builds_nothing(tmp_path):
    done = local("env", XDG_CACHE_HOME=str(tmp_path / "cache"), JADA_TYPED="make env", JADA_SITE="notup")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "jada: no demo is up: `make demo JADA_SITE=notup` makes one\n"
    assert not (tmp_path / "cache").exists()


@pytest.mark.root
def test_an_end_of_input_at_the_question_is_a_no():
    ours, terminal = pty.openpty()
    os.write(ours, b"\x04")  # Ctrl-D
    with temporary_site(lock=False) as site:
        demo._remember(site, demo.Choice("/b.csv", "double", site.octet))
        done = local("--site", site.name, "--octet", str(site.octet), "demo", stdin=terminal)
        assert site.state.exists()
    os.close(ours)
    os.close(terminal)
    assert done.stdout.endswith("[y/N] \n")
    assert done.stderr.startswith("jada: nothing was changed: a demo with the bookings of /b.csv")


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        (("demo", "--hosts", "12"), "HOSTS: a number of hosts is from 1 to 9, not '12'"),
        (("demo", "--claude", "fake"), "CLAUDE: invalid choice: 'fake'"),
        (("--site", "Bad", "env"), "JADA_SITE: a site's name is up to 12 small letters and digits, not 'Bad'"),
        (("--octet", "300", "env"), "JADA_OCTET: an octet is a number from 1 to 255, not '300'"),
    ],
)
def test_a_wrong_value_is_refused_by_the_name_of_makes_variable(typed, told):
    done = local(*typed, JADA_TYPED="make demo")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"jada: {told}")
    assert done.stderr.count("\n") == 1


def test_in_a_fresh_checkout_env_is_refused_in_words(tmp_path):
    shutil.copy(ROOT / "Makefile", tmp_path)
    plain = {name: value for name, value in os.environ.items() if name != "MAKEFLAGS"}
    done = subprocess.run(["make", "-s", "env"], cwd=tmp_path, env=plain, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("jada: this checkout has no environment yet: `make demo` makes it, and the cloud\n")


@pytest.mark.parametrize(
    ("given", "environ", "typed"),
    [
        (["JADA_OCTET=78", "CLAUDE=real"], {}, "make typed JADA_OCTET=78 CLAUDE=real"),
        # What `eval "$(make env)"` left in a shell was not typed.
        ([], {"JADA_OCTET": "77"}, "make typed"),
        ([], {"SUDO_UID": "1000"}, "sudo make typed"),
    ],
)
def test_make_passes_on_what_was_typed(given, environ, typed):
    plain = {name: value for name, value in os.environ.items() if name not in ("SUDO_UID", "JADA_OCTET", "MAKEFLAGS")}
    command = ["make", "-s", "--eval", 'typed: ; @echo "$$JADA_TYPED"', "typed", *given]
    done = subprocess.run(command, cwd=ROOT, env={**plain, **environ}, capture_output=True, text=True, check=True)
    assert done.stdout == f"{typed}\n"


@pytest.mark.parametrize(
    ("target", "sudo", "compiled"),
    [("any", {}, 1), ("test", {}, 1), ("test", {"SUDO_UID": "1000"}, 1), ("any", {"SUDO_UID": "1000"}, 0)],
)
def test_what_programs_import_is_compiled_once_and_never_beside_its_source(tmp_path, target, sudo, compiled):
    (tmp_path / "imported.py").touch()
    # Read after the Makefile, it takes the place of the rule there; what that one exports stays.
    rule = tmp_path / "rule.mk"
    rule.write_text(f"{target}: ; @cd {tmp_path} && {shlex.quote(sys.executable)} -c 'import imported'\n")
    plain = {name: value for name, value in os.environ.items() if name not in ("SUDO_UID", "MAKEFLAGS")}
    env = {**plain, "XDG_CACHE_HOME": str(tmp_path / "cache"), "PYTHONDONTWRITEBYTECODE": "1", **sudo}
    subprocess.run(["make", "-s", "-f", "Makefile", "-f", str(rule), target], cwd=ROOT, env=env, check=True, timeout=60)
    assert len(list(tmp_path.rglob("imported.*.pyc"))) == compiled
    assert not (tmp_path / "__pycache__").exists()


@pytest.mark.root
@pytest.mark.parametrize("target", ["test", "faults"])
def test_by_sudo_tests_find_their_tools_in_the_cache_that_they_look_in(tmp_path, target):
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name in ("local/bootstrap", "local/reachable", ".venv/bin/python", ".venv/bin/pytest"):
        (program := tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        program.write_text(f"#!/bin/sh\necho {name} ${{SUDO_UID-root}} $1 $PYTHONPYCACHEPREFIX\n")
        program.chmod(0o755)
    env = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "XDG_CACHE_HOME")}
    env |= {"SUDO_UID": "1", "HOME": "/root"}
    done = subprocess.run(["make", "-s", target], cwd=tmp_path, env=env, capture_output=True, text=True, check=True)
    bytecode = "/root/.cache/jada/bytecode"
    # The environment is the user's; the programs of the tests are root's, whoever asked for them.
    ran = [
        f"local/bootstrap 1 {bytecode}",
        f"local/bootstrap root --uv {bytecode}",
        f".venv/bin/python root -m {bytecode}",
    ]
    made, tested = (lines := [" ".join(line.split()) for line in done.stdout.splitlines()])[:3], lines[3:]
    assert made == ran
    # By SUDO_UID the tests know to whom what they leave in the checkout belongs.
    runs = {f"local/reachable 1 .venv/bin/{program} {bytecode}" for program in ("pytest", "python")}
    assert set(tested) == (runs if target == "faults" else {f"local/reachable 1 .venv/bin/pytest {bytecode}"})


@pytest.mark.parametrize("words", [["test", "PART=unit"], ["faults"]])
def test_hosts_are_roots_to_make_and_nothing_is_begun_without(tmp_path, words):
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "id").write_text("#!/bin/sh\necho 1000\n")
    (tmp_path / "id").chmod(0o755)
    env = {name: value for name, value in os.environ.items() if name != "MAKEFLAGS"}
    env["PATH"] = f"{tmp_path}:{env['PATH']}"
    done = subprocess.run(["make", "-s", *words], cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    typed = " ".join(words).replace("=unit", '="unit"')
    assert (done.returncode, done.stdout) == (2, "")
    refusal, _ = done.stderr.splitlines()
    assert refusal == (
        f"jada: `make {words[0]}` makes hosts, which needs root: run `sudo make {typed}`, "
        "or `make unit` for what needs none"
    )


def test_a_wrong_authority_is_refused_in_a_line():
    done = local("env", SSL_CERT_FILE="/nosuch.pem")
    assert done.stderr == "jada: there is no file of certificates at /nosuch.pem: correct SSL_CERT_FILE, or unset it\n"


def test_clean_cache_says_what_it_frees(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("asks for root")
    (tmp_path / "jada" / "images").mkdir(parents=True)
    (tmp_path / "jada" / "images" / "one").write_bytes(b"x" * 3_000_000)
    done = local("clean-cache", XDG_CACHE_HOME=str(tmp_path))
    assert done.stdout.splitlines()[0].split() == ["3", "MB", "images"]
    assert f"3 MB are free again: {tmp_path / 'jada'} is gone" in done.stdout
    assert not (tmp_path / "jada").exists()
