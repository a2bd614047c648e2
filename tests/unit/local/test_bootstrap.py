"""A machine that can't be the cloud is refused at once, with what is needed; the environment is made for its user."""

import os
import pwd
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.process

BOOTSTRAP = Path(__file__).parents[3] / "local" / "bootstrap"
UV = """#!/bin/sh
mkdir -p .venv/bin
id -u > .venv/user
env > .venv/environment
[ ! -p slow ] || read -r _ <slow
[ ! -e broken ]
"""
SLEEP = """#!/bin/sh
[ -e "$0.slept" ] || { echo "$1" >"$0.slept"; exit 0; }
echo >slow
exit 1
"""
"""What the clock waits by: over at once, then so that what takes long goes on after the clock's first line."""


def refused(folder, program, says, **environ):
    """Run the bootstrap where `program` says something else than this machine's own; returns its last words."""
    (folder / program).write_text(f"#!/bin/sh\nprintf '%s\\n' {says}\n")
    (folder / program).chmod(0o755)
    env = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", "XDG_CACHE_HOME": str(folder), **environ}
    done = subprocess.run(["sh", BOOTSTRAP], env=env, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 1
    assert done.stdout == ""
    return done.stderr


@pytest.mark.parametrize(
    ("program", "says", "told"),
    [
        ("uname", "Darwin", "needs Linux"),
        ("mount", "'proc on /proc type proc (rw)'", "no cgroup file system is mounted"),
        ("df", "'Filesystem blocks used available' '/dev/vda 9000 8000 1000 89% /'", "1000 MB free on /"),
        ("awk", "1000", "too little memory: 1000 MB"),
    ],
)
def test_what_is_missing_is_reported_before_anything_is_done(tmp_path, program, says, told):
    assert told in refused(tmp_path, program, says)


@pytest.mark.parametrize("document", ["README.md", "docs/start.md"])
def test_a_document_asks_for_the_disk_that_the_first_run_asks_for(document):
    asked = sum(map(int, re.findall(r"(?:printf '|\\n)(\d+) %s", BOOTSTRAP.read_text())))
    (told,) = re.findall(r"(\d+) GB of (?:free )?disk", (BOOTSTRAP.parents[1] / document).read_text())
    assert int(told) * 1000 - 1000 < asked <= int(told) * 1000


def test_a_file_of_certificates_that_is_not_there_is_refused(tmp_path):
    told = refused(tmp_path, "unused", "", SSL_CERT_FILE="", REQUESTS_CA_BUNDLE="/nosuch.pem")
    assert told.count("\n") == 1
    assert "no file of certificates at /nosuch.pem" in told


def test_a_user_without_sudo_is_refused_with_the_command_that_was_typed(tmp_path):
    for name in ("sh", "dirname", "uname", "stat", "getent", "mount", "grep", "awk"):
        (tmp_path / name).symlink_to(shutil.which(name))
    told = refused(tmp_path, "id", "1000", PATH=str(tmp_path), JADA_TYPED="make demo CLAUDE=real")
    assert "run `make demo CLAUDE=real` as root" in told


class Checkout:
    """A checkout of the bootstrap only, whose uv, already in the cache, is a script that notes how it was called."""

    def __init__(self, folder):
        self.folder = folder / "it's here"
        self.uid, self.environ = os.geteuid(), {}
        self._home, tools = folder / "home", folder / "tools"
        (self.folder / "local").mkdir(parents=True)
        for name in ("bootstrap", "uv.txt"):
            shutil.copy(BOOTSTRAP.with_name(name), self.folder / "local" / name)
        uv = self._home / ".cache" / "jada" / "uv-pinned" / "bin" / "uv"
        uv.parent.mkdir(parents=True)
        tools.mkdir()
        for path, text in ((uv, UV), (tools / "sha256sum", "#!/bin/sh\necho pinned\n"), (tools / "df", enough())):
            path.write_text(text)
            path.chmod(0o755)
        (uv.parents[1] / ".ok").touch()
        self.environ = {"PATH": f"{tools}:/usr/bin:/bin", "HOME": str(self._home)}

    def bootstrap(self, **environ):
        """Run it; returns what it printed."""
        done = self.run(**environ)
        done.check_returncode()
        return done.stdout

    def run(self, *words, **environ):
        command = ["sh", str(self.folder / "local" / "bootstrap"), *words]
        env = {**self.environ, **environ}
        return subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=60)

    def noted(self, name):
        return (self.folder / ".venv" / name).read_text()


def enough():
    return "#!/bin/sh\necho Filesystem; echo /dev/vda 9000 1000 9000 1% /\n"


@pytest.fixture
def checkout(tmp_path):
    return Checkout(tmp_path)


def test_a_moved_checkout_gets_an_environment_of_its_own(checkout):
    assert "made anew" not in checkout.bootstrap()
    (checkout.folder / ".venv" / "old").touch()
    assert "made anew" not in checkout.bootstrap()
    checkout.folder = checkout.folder.rename(checkout.folder.with_name("moved"))
    assert "made for another place or user: it is made anew" in checkout.bootstrap()
    assert not (checkout.folder / ".venv" / "old").exists()
    assert checkout.noted("made-for") == f"{checkout.folder}\n"


def test_an_authority_and_a_proxy_are_passed_on_under_the_names_that_each_program_reads(checkout, tmp_path):
    (tmp_path / "ca.pem").touch()
    checkout.bootstrap(REQUESTS_CA_BUNDLE=str(tmp_path / "ca.pem"), HTTPS_PROXY="http://proxy:1")
    lines = checkout.noted("environment").splitlines()
    assert {f"SSL_CERT_FILE={tmp_path / 'ca.pem'}", f"PIP_CERT={tmp_path / 'ca.pem'}"} <= set(lines)
    assert "https_proxy=http://proxy:1" in lines


def test_what_fetches_and_installs_does_not_see_the_real_key(checkout):
    checkout.bootstrap(ANTHROPIC_API_KEY="canary")
    assert "canary" not in checkout.noted("environment")


def test_what_can_not_be_fetched_is_said_with_what_a_proxy_needs(checkout, tmp_path):
    (tmp_path / "home" / ".cache" / "jada" / "uv-pinned" / ".ok").unlink()
    python = tmp_path / "tools" / "python3"
    python.write_text('#!/bin/sh\ncase "$*" in *"-m venv"*) echo "certificate verify failed" >&2; exit 1 ;; esac\n')
    python.chmod(0o755)
    refused = checkout.run()
    assert refused.returncode == 1
    assert "certificate verify failed" in refused.stderr
    assert "SSL_CERT_FILE must name" in refused.stderr


def test_a_long_step_says_something_every_ten_seconds(checkout, tmp_path):
    sleep = tmp_path / "tools" / "sleep"
    sleep.write_text(SLEEP)
    sleep.chmod(0o755)
    os.mkfifo(checkout.folder / "slow")
    assert re.search(r"^     \d+ s$", checkout.bootstrap(), re.MULTILINE)
    assert int(sleep.with_name("sleep.slept").read_text()) < 10


def test_the_demos_shell_has_the_same_uv():
    (line,) = (line for line in BOOTSTRAP.read_text().splitlines() if line.startswith("pin=$("))

    def pin(prefix):
        command = ["sh", "-c", f"{line}\necho $pin"]
        env = {"PATH": f"{prefix}/bin:/usr/bin:/bin"}
        done = subprocess.run(command, cwd=BOOTSTRAP.parents[1], env=env, capture_output=True, text=True, check=True)
        return done.stdout

    assert sys.prefix != sys.base_prefix
    assert len(pin(sys.prefix).strip()) == 12
    assert pin(sys.prefix) == pin(sys.base_prefix)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act for another user")
def test_under_sudo_all_of_it_is_the_users(passable):
    checkout = Checkout(passable)
    nobody = pwd.getpwnam("nobody")
    fake = f"#!/bin/sh\necho 'nobody:x:{nobody.pw_uid}:{nobody.pw_gid}::{passable / 'home'}:/bin/sh'\n"
    (passable / "tools" / "getent").write_text(fake)
    (passable / "tools" / "getent").chmod(0o755)
    checkout.bootstrap()
    for path in (passable, *passable.rglob("*")):
        os.chown(path, nobody.pw_uid, nobody.pw_gid)
    os.chown(checkout.folder / ".venv", 0, 0)
    sudo = {"SUDO_UID": str(nobody.pw_uid), "SUDO_GID": str(nobody.pw_gid), "HOME": "/root"}
    assert "made anew" in checkout.bootstrap(**sudo)
    assert checkout.noted("user") == f"{nobody.pw_uid}\n"
    assert f"HOME={passable / 'home'}" in checkout.noted("environment").splitlines()
    assert (checkout.folder / ".venv" / "made-for").stat().st_uid == nobody.pw_uid


def test_uv_can_be_had_without_an_environment(checkout, tmp_path):
    cached = tmp_path / "home" / ".cache" / "jada" / "uv-pinned"
    shutil.rmtree(cached)
    python = tmp_path / "tools" / "python3"
    python.write_text(
        '#!/bin/sh\ncase "$*" in *"-m venv"*) mkdir -p "$3/bin" && ln -s /bin/true "$3/bin/pip" ;; esac\n'
    )
    python.chmod(0o755)
    checkout.run("--uv").check_returncode()
    assert (cached / ".ok").exists()
    assert not (checkout.folder / ".venv").exists()


def test_without_a_home_the_accounts_own_is_used(checkout, tmp_path):
    del checkout.environ["HOME"]
    checkout.bootstrap(XDG_CACHE_HOME=str(tmp_path / "home" / ".cache"))
    home = pwd.getpwuid(os.geteuid()).pw_dir
    assert f"HOME={home}" in checkout.noted("environment").splitlines()


def test_an_environment_that_could_not_be_made_leaves_no_half_of_one(checkout):
    (checkout.folder / "broken").touch()
    with pytest.raises(subprocess.CalledProcessError) as failure:
        checkout.bootstrap(JADA_TYPED="make demo", JADA_SITE="two")
    assert "Run `make demo JADA_SITE=two` again" in failure.value.stderr
    assert not (checkout.folder / ".venv").exists()
