import io
import tarfile
from pathlib import Path

import pytest

from provision.errors import CommandError
from provision.release import wheels

ROOT = Path(__file__).parents[4]
PLATFORM = wheels.Platform("3.11", "x86_64", "2.36")


@pytest.mark.process
def test_the_lock_is_exported_with_a_hash_for_every_package_and_pip():
    text = wheels.wheelhouse_for(ROOT, PLATFORM).requirements
    packages = [line for line in text.splitlines() if "==" in line]
    assert any(line.startswith("anthropic==") for line in packages)
    assert any(line.startswith("pip==") for line in packages)
    assert text.count("--hash=sha256:") >= len(packages)
    assert not any(line.startswith(("pulumi", "fabric", "pytest")) for line in packages)


@pytest.mark.process
@pytest.mark.parametrize(
    "other", [wheels.Platform("3.12", "x86_64", "2.36"), wheels.Platform("3.11", "aarch64", "2.36")]
)
def test_another_python_or_machine_is_another_environment(other):
    assert wheels.wheelhouse_for(ROOT, other).key != wheels.wheelhouse_for(ROOT, PLATFORM).key


def test_wheels_are_asked_for_the_hosts_python_and_every_glibc_it_can_take(tmp_path):
    words = wheels.download_command(PLATFORM, tmp_path)
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


def test_wheels_that_are_there_are_not_fetched_again_and_travel_as_they_are(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    wheelhouse = wheels.Wheelhouse("key", "", PLATFORM)
    wheelhouse.folder.mkdir(parents=True)
    (wheelhouse.folder / "a.whl").write_bytes(b"wheel")
    wheels.fetch(wheelhouse)
    with tarfile.open(fileobj=io.BytesIO(wheels.archive(wheelhouse))) as tar:
        assert tar.getnames() == ["a.whl"]


def test_a_failed_fetch_leaves_nothing_that_looks_whole(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("UV_OFFLINE", "1")
    wheelhouse = wheels.Wheelhouse("key", "no-such-package==1 --hash=sha256:0\n", PLATFORM)
    with pytest.raises(CommandError):
        wheels.fetch(wheelhouse)
    assert list((tmp_path / "jada" / "wheels").iterdir()) == []
