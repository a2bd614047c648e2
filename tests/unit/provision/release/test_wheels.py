import hashlib
import io
import json
import os
import ssl
import subprocess
import sys
import tarfile
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from doubles.git.identity import identity
from local.process import wait_until
from provision.errors import CommandError
from provision.release import wheels
from tests.locks import is_waited_for

ROOT = Path(__file__).parents[4]
PLATFORM = wheels.Platform("3.11", "x86_64", "2.36")


@pytest.mark.process
def test_the_lock_is_exported_with_a_hash_for_every_package():
    text = wheels.wheelhouse_for(ROOT, PLATFORM).requirements
    packages = [line for line in text.splitlines() if "==" in line]
    assert any(line.startswith("anthropic==") for line in packages)
    assert text.count("--hash=sha256:") >= len(packages)
    assert not any(line.startswith(("pulumi", "fabric", "pytest", "pip==")) for line in packages)


@pytest.mark.process
@pytest.mark.parametrize(
    "other", [wheels.Platform("3.12", "x86_64", "2.36"), wheels.Platform("3.11", "aarch64", "2.36")]
)
def test_another_python_or_machine_is_another_environment(other):
    assert wheels.wheelhouse_for(ROOT, other).key != wheels.wheelhouse_for(ROOT, PLATFORM).key


def test_wheels_are_asked_for_the_hosts_python_and_every_glibc_it_can_take(tmp_path):
    words = wheels.download_command(PLATFORM, tmp_path / "pip", tmp_path)
    platforms = [words[i + 1] for i, word in enumerate(words) if word == "--platform"]
    assert platforms[0] == "manylinux_2_36_x86_64"
    assert platforms[-2:] == ["manylinux_2_17_x86_64", "manylinux2014_x86_64"]
    assert words[words.index("--python-version") + 1] == "3.11"
    assert {"--require-hashes", "--only-binary=:all:", "--no-deps"} <= set(words)


@pytest.mark.process
def test_a_folder_without_a_lock_says_what_is_wrong(tmp_path):
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "x"\nversion = "0"\n')
    with pytest.raises(CommandError, match="uv export"):
        wheels.wheelhouse_for(tmp_path, PLATFORM)


WHEEL = b"a wheel"
LOCKED = f"lonely==1 --hash=sha256:{hashlib.sha256(WHEEL).hexdigest()}\n"
NAME = "lonely-1-py3-none-any.whl"


@pytest.fixture
def cached(tmp_path, monkeypatch):
    """A wheelhouse in the cache, as a download left it; there is no way to download another."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("UV_OFFLINE", "1")
    wheelhouse = wheels.Wheelhouse("key", LOCKED, PLATFORM)
    wheelhouse.folder.mkdir(parents=True)
    (wheelhouse.folder / NAME).write_bytes(WHEEL)
    (wheelhouse.folder / "requirements.txt").write_text(LOCKED)
    return wheelhouse


def sent(wheelhouse):
    with tarfile.open(fileobj=io.BytesIO(wheels.archive(wheelhouse))) as tar:
        return {name: tar.extractfile(name).read() for name in tar.getnames()}


def test_wheels_that_are_there_are_not_fetched_again_and_travel_with_their_list(cached):
    wheels.fetch(cached)
    assert sent(cached) == {NAME: WHEEL, "requirements.txt": LOCKED.encode()}


def test_the_same_wheels_travel_as_the_same_bytes(cached):
    before = wheels.archive(cached)
    os.utime(cached.folder / NAME, (1, 1))
    assert wheels.archive(cached) == before


def test_a_list_in_the_cache_is_not_believed(cached):
    (cached.folder / "requirements.txt").write_text("lonely==1 --hash=sha256:" + "0" * 64)
    assert sent(cached)["requirements.txt"] == LOCKED.encode()


@pytest.mark.parametrize("name", [NAME, "pip-26.3-py3-none-any.whl", "setup.py"])
def test_a_wheel_in_the_cache_that_is_not_the_locks_never_travels(cached, name):
    (cached.folder / name).write_bytes(b"tampered with")
    with pytest.raises(CommandError, match=f"{name} is not what uv.lock names"):
        wheels.archive(cached)


@pytest.mark.process
def test_a_cache_that_was_tampered_with_is_thrown_away_and_fetched_anew(cached):
    (cached.folder / NAME).write_bytes(b"tampered with")
    with pytest.raises(CommandError):  # offline: there is nothing to fetch it from
        wheels.fetch(cached)
    assert not cached.folder.exists()


ASKING = """
mount --bind "$1" /etc/ssl/certs/ca-certificates.crt
exec "$2" -c 'from pathlib import Path; from provision.release import wheels
wheels._uv(["pip", "compile", "requirements.in"], Path.cwd())'
"""
"""Asks an index as fetching does, on a machine whose store of authorities is the file $1."""


@pytest.fixture
def behind_a_proxy(tmp_path):
    """The address of an empty index, its certificate by an authority of its own, and the file of that authority."""
    authority, certificate = identity("localhost")
    (tmp_path / "ca.pem").write_bytes(authority)
    (tmp_path / "server.pem").write_bytes(certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    handler = partial(SimpleHTTPRequestHandler, directory=tmp_path / "nothing")
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"https://localhost:{server.server_port}/simple", tmp_path / "ca.pem"
        server.shutdown()
        thread.join()


@pytest.mark.root
@pytest.mark.process
def test_an_authority_of_the_system_is_believed_as_a_proxys_is(behind_a_proxy, tmp_path):
    index, authority = behind_a_proxy
    (tmp_path / "requirements.in").write_text("lonely\n")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SSL_CERT", "UV_"))}
    env = {**kept, "XDG_CACHE_HOME": str(tmp_path), "UV_DEFAULT_INDEX": index, "PYTHONPATH": str(ROOT)}
    env |= {"PATH": f"{Path(wheels._program()).parent}:{os.environ['PATH']}", "NO_PROXY": "localhost"}
    command = ["unshare", "--mount", "sh", "-ec", ASKING, "sh", authority, sys.executable]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False, timeout=60)
    assert "lonely was not found in the package registry" in done.stderr


def test_a_failed_fetch_leaves_nothing_that_looks_whole(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("UV_OFFLINE", "1")
    wheelhouse = wheels.Wheelhouse("key", "no-such-package==1 --hash=sha256:0\n", PLATFORM)
    with pytest.raises(CommandError):
        wheels.fetch(wheelhouse)
    assert list((tmp_path / "jada" / "wheels").iterdir()) == []


UV = """#!/bin/sh
until [ "$1" = --target ]; do shift; done
mkdir "$2" && cp "$(dirname "$0")/fetching" "$2/pip"
"""
"""Brings pip, as uv does; the one that it brings is the next."""
FETCHING = f"""
import sys, pathlib
here = pathlib.Path(sys.path[0]).parents[2]
with (here / "asked").open("a") as asked:
    asked.write("once ")
with (here / "answers").open("rb", buffering=0) as answers:
    answers.read(1)
pathlib.Path(sys.argv[sys.argv.index("--dest") + 1], {NAME!r}).write_bytes({WHEEL!r})
"""
DEPLOY = f"""
from provision.release import wheels
wheels.fetch(wheels.Wheelhouse("key", {LOCKED!r}, wheels.Platform("3.11", "x86_64", "2.36")))
"""


@pytest.mark.process
def test_of_two_deploys_at_once_one_fetches_and_the_other_uses_that(tmp_path):
    (folder := tmp_path / "jada" / "wheels").mkdir(parents=True)
    (tmp_path / "uv").write_text(UV)
    (tmp_path / "uv").chmod(0o755)
    (tmp_path / "fetching").write_text(FETCHING)
    (asked := tmp_path / "asked").touch()
    os.mkfifo(tmp_path / "answers")
    answers = os.open(tmp_path / "answers", os.O_RDWR)
    env = os.environ | {"XDG_CACHE_HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    env["PATH"] = f"{tmp_path}:{env['PATH']}"
    deploys = [subprocess.Popen([sys.executable, "-c", DEPLOY], env=env, stderr=subprocess.PIPE) for _ in range(2)]
    # Both have come as far as they can: one asks, and the other waits, or asks too.
    assert wait_until(lambda: asked.read_text() and (is_waited_for(folder) or asked.read_text() == "once once "), 60)
    os.write(answers, b"12")
    said = [deploy.communicate(timeout=60)[1].decode() for deploy in deploys]
    os.close(answers)
    assert said == ["", ""]
    assert asked.read_text() == "once "
    assert [path.name for path in folder.iterdir()] == ["key"]


@pytest.mark.process
def test_the_sbom_names_every_package_and_is_the_same_each_time():
    made = wheels.wheelhouse_for(ROOT, PLATFORM)
    bom = json.loads(made.sbom)
    assert (bom["bomFormat"], bom["specVersion"]) == ("CycloneDX", "1.5")
    assert {"serialNumber"} & bom.keys() == {"timestamp", "tools"} & bom["metadata"].keys() == set()
    names = {part["name"] for part in bom["components"]}
    locked = {line.partition("==")[0] for line in made.requirements.splitlines() if "==" in line}
    assert locked <= names
    assert wheels.wheelhouse_for(ROOT, PLATFORM).sbom == made.sbom
