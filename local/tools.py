"""The tools that a local cloud needs: what is on PATH is used, else it is installed or built, pinned, into a cache.

Each goes to a folder named after its recipe and is moved there whole, so that an interrupted build leaves nothing that
looks finished, and a changed recipe never meets an old result.
"""

import errno
import fcntl
import os
import platform
import shutil
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from local import proxy
from local.account import Account, everything, typed
from local.hosts.image import KEYRING, USUAL, cache, digest, image_command, image_folder
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
CHECKS = {"shellcheck": "shellcheck", "curl": "curl", "mke2fs": "e2fsprogs"}
"""What the checks and tests need on top."""
DATABASE = {"java": "default-jre-headless", "mvn": "maven"}
"""What DynamoDB Local runs on and is fetched by."""
BROWSER = "chromium-headless-shell"
"""What shows the page to the tests; a distribution may not package it, Ubuntu for one."""
ENGINE = Path(__file__).parent / "engine"
DYNAMODB = Path(__file__).parent / "dynamodb"
SUMS = "SHA256SUMS"
ENGINE_VERSION = "v3.225.0"
"""The newest that the Go module proxy serves whole."""
GO = "1.26.8"
_TRIES = 5
"""How often what others write into meanwhile is removed."""
OLDEST_GO = (1, 21)
"""From here on Go fetches the toolchain that a module asks for by itself."""


@contextmanager
def _whole(target: Path, steps: Steps, account: Account | None = None) -> Iterator[Path | None]:
    """Yield a folder to fill that becomes `target` when the block succeeds, or None where it is there already.

    A lock keeps two builders apart; what an interrupted one left is removed first. Both are the user's, if `account`
    names one. Raises `StepFailed` if what was left can't be removed.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    held = target.with_name(f".{target.name}.lock")
    # The steps' programs hold it too: one that outlives its builder, which was killed, still writes into the folder.
    with held.open("w", encoding="utf-8") as lock, steps.sharing(lock.fileno()):
        if account:
            account.give(held)
        _wait_for(lock.fileno(), steps)
        if target.exists():
            yield None
            return
        half = target.with_name(f".{target.name}.half")
        _remove(half)
        half.mkdir()
        if account:
            account.give(half)
        yield half
        # A rename within one folder is whole or not at all.
        half.rename(target)


def _wait_for(lock: int, steps: Steps) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        steps.tell("another program is making the same: waiting until it has ended")
        fcntl.flock(lock, fcntl.LOCK_EX)


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
    steps.tell(f"installing {', '.join(missing)}")
    _install(steps, missing)


def browser(steps: Steps) -> None:
    """Install the browser of the page's tests where the distribution has one; where not, those tests are left out."""
    if shutil.which(BROWSER) or not shutil.which("apt-get"):
        return
    steps.tell(f"installing {BROWSER}")
    try:
        _install(steps, [BROWSER, "fonts-dejavu-core"])
    except StepFailed as error:
        steps.tell(f"no {BROWSER} here, so the tests of the page in a browser are left out: {error}")


def _install(steps: Steps, names: Sequence[str]) -> None:
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    # Five minutes for another apt: a machine that was just made, or upgrades itself, runs its own.
    apt = ["apt-get", "-o", "DPkg::Lock::Timeout=300", *proxy.apt_options(os.environ), "-q"]
    steps.run("apt-update", [*apt, "update"], env=env)
    steps.run("apt-install", [*apt, "install", "-y", "--no-install-recommends", *names], env=env)


def engine(steps: Steps) -> Path:
    """Return the folder with `pulumi`: the one on PATH, else a build from the Go module proxy, made as the operator."""
    if found := shutil.which("pulumi"):
        return Path(found).parent
    target = cache() / f"engine-{digest(*(path.read_text() for path in sorted(ENGINE.iterdir())))}"
    with _whole(target, steps, steps.operator) as half:
        if half is not None:
            steps.tell("building Pulumi's engine (5 to 15 minutes, once; 2.5 GB meanwhile)")
            flags = f"-s -w -X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version={ENGINE_VERSION}"
            # -v names each package once it is built: without it Go says nothing for minutes.
            build = [_go(steps), "build", "-v", "-ldflags", flags, "-o", str(half / "pulumi")]
            command = [*build, "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"]
            steps.run("engine", command, cwd=ENGINE, env=_go_env(steps.operator), as_operator=True)
            # Sources and half-made results, of use only to a build that was interrupted.
            shutil.rmtree(_go_folder())
    return target


def _go_folder() -> Path:
    return cache() / "go"


def _go_env(account: Account | None) -> dict[str, str]:
    """What keeps all that Go fetches and makes in one folder of ours."""
    folder = _go_folder()
    for path in (folder, folder / "tmp"):
        path.mkdir(parents=True, exist_ok=True)
        if account:
            os.chown(path, account.uid, account.gid)
    return {
        **os.environ,
        "GOPATH": str(folder),
        "GOMODCACHE": str(folder / "mod"),
        "GOCACHE": str(folder / "build"),
        "GOTMPDIR": str(folder / "tmp"),
        "XDG_CONFIG_HOME": str(folder / "config"),
        # Go keeps counters beside its settings: they go to our folder, the user's settings stay.
        "GOENV": os.environ.get("GOENV") or f"{os.environ.get('XDG_CONFIG_HOME') or Path.home() / '.config'}/go/env",
        # -modcacherw: modules stay removable by an ordinary rm. Without cgo no C compiler is needed.
        "GOFLAGS": "-buildvcs=false -modcacherw",
        "GOTOOLCHAIN": "auto",
        "CGO_ENABLED": "0",
    }


def _go(steps: Steps) -> str:
    """Return a Go that can build the engine: a recent one on PATH, else the toolchain that an old one fetches."""
    found = shutil.which("go")
    if not found:
        steps.tell("installing Go")
        _install(steps, ["golang-go"])
        found = shutil.which("go") or "/usr/bin/go"
    version = steps.run("go-version", [found, "env", "GOVERSION"], env=_go_env(steps.operator), as_operator=True)
    if tuple(int(part) for part in version.strip().removeprefix("go").split(".")[:2]) >= OLDEST_GO:
        return found
    return str(_toolchain(found, steps) / "bin" / "go")


def _toolchain(old_go: str, steps: Steps) -> Path:
    """Fetch Go's own toolchain as the module it is published as; `old_go` checks it against the checksum database."""
    arch = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
    target = cache() / f"go-{GO}"
    with _whole(target, steps, steps.operator) as half:
        if half is not None:
            steps.tell(f"fetching Go {GO}")
            module = f"golang.org/toolchain@v0.0.1-go{GO}.linux-{arch}"
            env = {**_go_env(steps.operator), "GOMODCACHE": str(half / "modules")}
            steps.run("toolchain", [old_go, "mod", "download", module], env=env, cwd=half, as_operator=True)
            (half / "modules" / module).rename(half / "go")
            # A module's archive has no modes, and an old Go does not know that this one holds programs.
            for folder in ("go/bin", "go/pkg/tool"):
                for program in (half / folder).rglob("*"):
                    program.chmod(0o755)
    return target / "go"


def image(steps: Steps, blueprint: str = USUAL) -> Path:
    """Return the root file system that the local Lightsail starts hosts of a blueprint from."""
    target = image_folder(blueprint)
    with _whole(target, steps) as half:
        if half is not None:
            steps.tell("building a Debian root file system (a minute, once)")
            # It becomes the hosts' root folder, whatever the umask took from its mode.
            half.chmod(0o755)
            steps.run("image", image_command(half, blueprint))
    return target


def dynamodb(steps: Steps) -> Path:
    """Return the folder with DynamoDB Local's files, fetched by Maven; one that is not what was pinned is refused."""
    target = dynamodb_folder()
    with _whole(target, steps, steps.operator) as half:
        if half is not None:
            packages(steps, DATABASE)
            steps.tell("fetching DynamoDB Local")
            fetched = half / ".maven"
            fetched.mkdir()
            options = [f"-Dmaven.repo.local={fetched}", f"-DoutputDirectory={half}", "-Dmdep.useBaseVersion=true"]
            behind = [*proxy.java_options(os.environ), *proxy.java_authority(os.environ, fetched)]
            if steps.operator:
                steps.operator.give(fetched)
            command = ["mvn", "-q", "-B", *behind, *options, "dependency:copy-dependencies"]
            steps.run("dynamodb", [*command, "-f", str(DYNAMODB / "pom.xml")], as_operator=True)
            shutil.rmtree(fetched)
            steps.run("dynamodb-check", ["sha256sum", "-c", "--quiet", "--strict", str(DYNAMODB / SUMS)], cwd=half)
            _require_nothing_else(half)
    return target


def dynamodb_folder() -> Path:
    """Return where DynamoDB Local's files are, or will be."""
    return cache() / f"dynamodb-{digest(*((DYNAMODB / name).read_text() for name in (SUMS, 'pom.xml')))}"


def _require_nothing_else(folder: Path) -> None:
    """Raise `StepFailed` for a file that is not pinned: all of the folder is run."""
    pinned = {line.split()[1] for line in (DYNAMODB / SUMS).read_text(encoding="utf-8").splitlines()}
    if extra := sorted({path.name for path in folder.iterdir()} - pinned):
        raise StepFailed(f"DynamoDB Local came with files that are not pinned: {', '.join(extra)}")


def sizes(elsewhere: Sequence[Path] = ()) -> dict[str, int]:
    """What is in the cache: the name of each file or folder there, and its bytes on disk; then the same of `elsewhere`,
    folders outside of it.
    """
    inside = sorted(cache().iterdir()) if cache().is_dir() else []
    held = {path.name: _bytes(path) for path in inside if not path.name.endswith(".lock")}
    return held | {str(path): _bytes(path) for path in elsewhere if path.is_dir()}


def _bytes(path: Path) -> int:
    # A file with a second link lies in an environment too, and removing it here frees nothing.
    return sum(state.st_blocks * 512 for state in _states(path) if state.st_nlink == 1 or stat.S_ISDIR(state.st_mode))


def _states(path: Path) -> Iterator[os.stat_result]:
    """Yield what is at a path and below it, without what another program takes away meanwhile."""
    for each in everything(path):
        with suppress(FileNotFoundError):
            yield each.lstat()


def clean(elsewhere: Sequence[Path] = ()) -> None:
    """Remove the cache, whole, and `elsewhere`. Raises `StepFailed` while a host runs from its image, or another
    program writes there.
    """
    folders, mounts = (cache(), *elsewhere), Path("/proc/self/mounts").read_text(encoding="utf-8")
    for folder in folders:
        if f"={folder}/" in mounts:
            raise StepFailed(f"a host runs from an image in {folder}: `{typed(os.environ, 'down')}` first")
    for folder in folders:
        _remove(folder)


def _remove(folder: Path) -> None:
    """Remove a folder, again where another program wrote into it meanwhile. Raises `StepFailed`."""
    for _ in range(_TRIES):
        if not folder.is_dir():
            return
        try:
            shutil.rmtree(folder)
        except FileNotFoundError:
            pass  # another program removed something at the same time
        except OSError as error:
            if error.errno != errno.ENOTEMPTY:
                raise StepFailed(f"{folder} can't be removed: {error}") from error
    if folder.is_dir():
        raise StepFailed(f"another program writes into {folder}: end what builds or tests there, then run this again")
