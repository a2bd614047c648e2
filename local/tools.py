"""The tools that a local cloud needs: what is on PATH is used, else it is installed or built, pinned, into a cache.

Each goes to a folder named after its recipe and is moved there whole, so that an interrupted build leaves nothing that
looks finished, and a changed recipe never meets an old result.
"""

import fcntl
import os
import platform
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from local.hosts.image import KEYRING, cache, digest, image_command, image_folder
from local.steps import StepFailed, Steps

PACKAGES = {
    "ip": "iproute2",
    "nft": "nftables",
    "mmdebstrap": "mmdebstrap",
    "systemd-nspawn": "systemd-container",
    "bwrap": "bubblewrap",
    "ssh": "openssh-client",
}
"""A program and the distribution's package that has it."""
CHECKS = {"shellcheck": "shellcheck"}
"""What the checks need on top."""
ENGINE = Path(__file__).parent / "engine"
ENGINE_VERSION = "v3.225.0"
"""The newest that the Go module proxy serves whole."""
GO = "1.26.8"
OLDEST_GO = (1, 21)
"""From here on Go fetches the toolchain that a module asks for by itself."""


@contextmanager
def _whole(target: Path) -> Iterator[Path | None]:
    """Yield a folder to fill that becomes `target` when the block succeeds, or None where it is there already.

    A lock keeps two builders apart; what an interrupted one left is removed first.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.with_name(f".{target.name}.lock").open("w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if target.exists():
            yield None
            return
        half = target.with_name(f".{target.name}.half")
        shutil.rmtree(half, ignore_errors=True)
        half.mkdir()
        yield half
        # A rename within one folder is whole or not at all.
        half.rename(target)


def packages(steps: Steps, wanted: Mapping[str, str] = PACKAGES) -> None:
    """Install the distribution's packages whose programs are missing."""
    missing = sorted({package for program, package in wanted.items() if not shutil.which(program)})
    if not KEYRING.exists():
        missing.append("debian-archive-keyring")
    if not missing:
        return
    if not shutil.which("apt-get"):
        raise StepFailed(
            f"missing programs, and no apt-get to install them: {', '.join(missing)}. Install them; run again."
        )
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    steps.tell(f"installing {', '.join(missing)}")
    steps.run("apt-update", ["apt-get", "update", "-q"], env=env)
    steps.run("apt-install", ["apt-get", "install", "-y", "-q", "--no-install-recommends", *missing], env=env)


def engine(steps: Steps) -> Path:
    """Return the folder with `pulumi`: the one on PATH, else a build from the Go module proxy."""
    if found := shutil.which("pulumi"):
        return Path(found).parent
    target = cache() / f"engine-{digest(*(path.read_text() for path in sorted(ENGINE.iterdir())))}"
    with _whole(target) as half:
        if half is not None:
            steps.tell("building Pulumi's engine (minutes, once)")
            flags = f"-s -w -X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version={ENGINE_VERSION}"
            # -modcacherw: modules in the cache stay removable by an ordinary rm.
            build = [_go(steps), "build", "-modcacherw", "-ldflags", flags, "-o", str(half / "pulumi")]
            steps.run("engine", [*build, "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"], cwd=ENGINE, env=_go_env())
    return target


def _go_env() -> dict[str, str]:
    # Without cgo no C compiler is needed.
    return {**os.environ, "GOFLAGS": "-buildvcs=false", "GOTOOLCHAIN": "auto", "CGO_ENABLED": "0"}


def _go(steps: Steps) -> str:
    """Return a Go that can build the engine: a recent one on PATH, else the toolchain that an old one fetches."""
    found = shutil.which("go")
    if not found:
        steps.tell("installing Go")
        env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        steps.run("apt-update", ["apt-get", "update", "-q"], env=env)
        steps.run("apt-go", ["apt-get", "install", "-y", "-q", "--no-install-recommends", "golang-go"], env=env)
        found = shutil.which("go") or "/usr/bin/go"
    version = subprocess.run([found, "env", "GOVERSION"], capture_output=True, text=True, check=True).stdout
    if tuple(int(part) for part in version.strip().removeprefix("go").split(".")[:2]) >= OLDEST_GO:
        return found
    return str(_toolchain(found) / "bin" / "go")


def _toolchain(old_go: str) -> Path:
    """Fetch Go's own toolchain as the module it is published as; `old_go` checks it against the checksum database."""
    arch = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
    target = cache() / f"go-{GO}"
    with _whole(target) as half:
        if half is not None:
            module = f"golang.org/toolchain@v0.0.1-go{GO}.linux-{arch}"
            env = {**os.environ, "GOMODCACHE": str(half / "modules"), "GOFLAGS": "-modcacherw"}
            subprocess.run([old_go, "mod", "download", module], env=env, cwd=half, check=True, capture_output=True)
            (half / "modules" / module).rename(half / "go")
            # A module's archive has no modes, and an old Go does not know that this one holds programs.
            for folder in ("go/bin", "go/pkg/tool"):
                for program in (half / folder).rglob("*"):
                    program.chmod(0o755)
    return target / "go"


def image(steps: Steps) -> Path:
    """Return the root file system that the local Lightsail starts its Debian hosts from."""
    target = image_folder()
    with _whole(target) as half:
        if half is not None:
            steps.tell("building a Debian root file system (a minute, once)")
            # It becomes the hosts' root folder, whatever the umask took from its mode.
            half.chmod(0o755)
            steps.run("image", image_command(half))
    return target
