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
from provision.errors import CommandError
from provision.release import wheels

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
