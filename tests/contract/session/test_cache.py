"""Dependencies of a repository, fetched by the package managers themselves over HTTPS, once for all its tasks."""

import base64
import datetime as dt
import ensurepip
import hashlib
import io
import json
import shutil
import subprocess
import tarfile
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from msgspec.structs import replace

from agent.record.workspace import opened as note
from agent.sandbox.egress.authority import issue
from provision.release import wheels
from wire.types import Exit, File

from .test_repositories import EDIT, HOST, folder, git, results, server  # noqa: F401 - fixtures

pytestmark = pytest.mark.root
BUNDLED = [
    *Path(ensurepip.__file__).parent.glob("_bundled/pip-*.whl"),
    *Path("/usr/share/python-wheels").glob("pip-*.whl"),
]
"""The pip that comes with Python, as it stands: its wheel runs without being installed."""
WHEEL = "beds-1.0-py3-none-any.whl"


def wheel():
    out, info = io.BytesIO(), "beds-1.0.dist-info"
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("beds.py", "COUNT = 42\n")
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: beds\nVersion: 1.0\n")
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    return out.getvalue()


def tar(files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text.encode())
            archive.addfile(info, io.BytesIO(text.encode()))
    return out.getvalue()


PACKAGE = tar(
    {"package/package.json": '{"name": "beds", "version": "1.0.0"}', "package/index.js": "module.exports = 42\n"}
)
CRATE = tar(
    {
        "beds-1.0.0/Cargo.toml": "[package]\nname = 'beds'\nversion = '1.0.0'\n",
        "beds-1.0.0/src/lib.rs": "pub const COUNT: u32 = 42;\n",
    }
)
MODULE = "module example.com/beds\n"


def module():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("example.com/beds@v1.0.0/go.mod", MODULE)
        archive.writestr("example.com/beds@v1.0.0/beds.go", "package beds\n\nconst Count = 42\n")
    return out.getvalue()


def served(place):
    """What the registries serve: an index of Python's (PEP 503), npm's, Go's modules, a sparse index of Cargo's."""
    base = f"https://{place}"
    digest = hashlib.sha512(PACKAGE).digest()
    release = {
        "name": "beds",
        "version": "1.0.0",
        "dist": {
            "tarball": f"{base}/npm/beds/-/beds-1.0.0.tgz",
            "integrity": f"sha512-{base64.b64encode(digest).decode()}",
        },
    }
    crate = {"name": "beds", "vers": "1.0.0", "deps": [], "features": {}, "yanked": False}
    crate["cksum"] = hashlib.sha256(CRATE).hexdigest()
    packument = {"name": "beds", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": release}}
    beds = "/go/example.com/beds/@v"
    return {
        "/simple/beds/": f'<a href="/files/{WHEEL}">{WHEEL}</a>'.encode(),
        f"/files/{WHEEL}": wheel(),
        "/npm/beds": json.dumps(packument).encode(),
        "/npm/beds/-/beds-1.0.0.tgz": PACKAGE,
        f"{beds}/list": b"v1.0.0\n",
        f"{beds}/v1.0.0.info": b'{"Version": "v1.0.0"}',
        f"{beds}/v1.0.0.mod": MODULE.encode(),
        f"{beds}/v1.0.0.zip": module(),
        "/cargo/config.json": json.dumps({"dl": f"{base}/cargo/crates"}).encode(),
        "/cargo/be/ds/beds": json.dumps(crate).encode(),
        "/cargo/crates/beds/1.0.0/download": CRATE,
    }


KINDS = {"simple": "text/html", "npm": "application/json", "cargo": "text/plain", "go": "text/plain"}
PACKAGES = (".whl", ".tgz", ".zip", "/download")


class Registry(BaseHTTPRequestHandler):
    """Registries of packages: what a file's name says never changes, what there is may."""

    protocol_version = "HTTP/1.1"

    def do_HEAD(self):
        self.server.asked.append(self.path)
        body, is_package = self.server.files.get(self.path), self.path in self.server.packages
        self.send_response(404 if body is None else 200)
        self.send_header("Content-Type", KINDS.get(self.path.split("/")[1], "application/octet-stream"))
        self.send_header("Cache-Control", "max-age=365000000, immutable" if is_package else "max-age=600")
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()

    def do_GET(self):
        self.do_HEAD()
        self.wfile.write(self.server.files.get(self.path, b""))

    def log_message(self, *_):
        pass


@pytest.fixture
def registry(tmp_path, folder):  # noqa: F811 - the fixture
    """Registries that the session's calls reach at `base`; `asked` are the paths that came."""
    vendor = issue([HOST], dt.datetime.now(dt.UTC))
    made = ThreadingHTTPServer(("127.0.0.1", 0), Registry)
    made.socket = vendor.context().wrap_socket(made.socket, server_side=True)
    threading.Thread(target=made.serve_forever, args=(0.02,), daemon=True).start()
    place = f"{HOST}:{made.server_address[1]}"
    made.base, made.asked, made.files = f"https://{place}", [], served(place)
    made.packages = {path for path in made.files if path.endswith(PACKAGES)}
    with (tmp_path / "ca.pem").open("a") as trusted:
        trusted.write(vendor.authority)
    folder.settings = replace(folder.settings, egress=replace(folder.settings.egress, allow=(place,)))
    yield made
    made.shutdown()
    made.server_close()


def work(folder, claude, *commands, opens=("site",)):  # noqa: F811 - the fixture
    """Let a task of its own open repositories, run commands and finish; return what its commands said."""
    for path in (folder.path, folder.workspace):
        shutil.rmtree(path, ignore_errors=True)
    folder.path.mkdir()
    note(folder.workspace).unlink(missing_ok=True)
    folder.claim(context=(File(name="pip.whl", content=BUNDLED[0].read_bytes()),))
    calls = [[claude.use("open_repository", n, repository=name)] for n, name in enumerate(opens)]
    calls += [[claude.use("bash", 50 + n, command=command)] for n, command in enumerate(commands)]
    claude.requests.clear()
    claude.plays = [*calls, [claude.use("finish", 99, result="Done.", outcome="partly", needed="-")]]
    assert folder.run() == Exit.STUCK, folder.said
    return [result["content"] for result in results(folder)[len(opens) : -1]]


def program(name):
    """The file of a program and the folder that a sandbox must be shown for it, None where /usr has it already."""
    if name == "uv":
        found = Path(wheels._program())
    elif name == "cargo" and shutil.which("rustc"):
        sysroot = subprocess.run(["rustc", "--print", "sysroot"], capture_output=True, text=True, check=True).stdout
        found = Path(sysroot.strip(), "bin", "cargo")
    else:
        found = Path(shutil.which(name) or f"/usr/local/go/bin/{name}")
    if not found.exists():
        pytest.skip(f"{name} is not on this machine")
    shown = None if found.is_relative_to("/usr") else found.parent.parent
    return (found, None) if shown is None else (Path("/reference", found.relative_to(shown)), shown)


PIP = "PYTHONPATH=/workspace/pip.whl python3 -m pip install -q --disable-pip-version-check --root-user-action=ignore"
USE = "PYTHONPATH=lib python3 -c 'import beds; print(beds.COUNT)'"
CARGO = """export PATH=$(dirname PROGRAM):$PATH CARGO_REGISTRIES_OURS_INDEX=sparse+BASE/cargo/
mkdir -p src && touch src/lib.rs
printf '[package]\\nname="x"\\nversion="1.0.0"\\n[dependencies]\\nbeds={version="1",registry="ours"}\\n' >Cargo.toml
PROGRAM fetch -q && grep -h 42 $CARGO_HOME/registry/src/*/beds-1.0.0/src/lib.rs"""
GO = """export GOPROXY=BASE/go GONOSUMDB=* GOFLAGS=-mod=mod GOTOOLCHAIN=local
printf 'module x\\n' >go.mod && PROGRAM get example.com/beds@v1.0.0
grep -h 42 $(PROGRAM list -m -f '{{.Dir}}' example.com/beds)/beds.go"""
MANAGERS = {
    "pip": f"{PIP} --target lib --index-url BASE/simple beds && {USE}",
    "uv": f"PROGRAM pip install -q --target lib --index-url BASE/simple beds && {USE}",
    "npm": "npm install --silent --registry BASE/npm beds && node -p 'require(\"beds\")'",
    "go": GO,
    "cargo": CARGO,
}


@pytest.mark.parametrize("name", MANAGERS)
def test_a_second_task_of_a_repository_does_not_fetch_its_dependencies_again(folder, claude, registry, name):  # noqa: F811
    install = MANAGERS[name].replace("BASE", registry.base)
    if "PROGRAM" in install:
        path, shown = program(name)
        folder.settings = replace(folder.settings, reference=str(shown) if shown else None)
        install = install.replace("PROGRAM", str(path))
    elif name == "npm" and not str(shutil.which("npm")).startswith("/usr/"):
        pytest.skip("npm is not on this machine where a sandbox sees it")
    for fetched in (True, False):
        registry.asked.clear()
        said = work(folder, claude, install)[0]
        assert "42" in said.splitlines()[-1], said
        # Some ask each time what there is; what they have, they take.
        assert bool(registry.packages & {*registry.asked}) == fetched, registry.asked


def test_a_task_that_has_not_opened_the_repository_finds_neither_cache_nor_mirror(folder, claude):  # noqa: F811
    assert "is kept in /cache" in (work(folder, claude, EDIT), results(folder)[0]["content"])[1]
    assert "No such file" in work(folder, claude, "ls /cache /repositories", opens=())[0]


def test_what_one_repository_leaves_in_its_cache_reaches_no_task_of_another(folder, claude, server):  # noqa: F811
    git("clone", "-q", "--bare", str(server.site), str(server.folder / "api.git"))
    site = folder.settings.repositories["site"]
    api = replace(site, address=site.address.replace("site.git", "api.git"))
    folder.settings = replace(folder.settings, repositories={"site": site, "api": api})
    poison = "mkdir -p /cache/pip && echo evil >/cache/pip/poison && cat /cache/pip/poison"
    look = "cat /cache/pip/poison; ls /repositories"
    assert work(folder, claude, poison, EDIT)[0] == "evil\n"
    assert "No such file" in (seen := work(folder, claude, look, opens=["api"])[0])
    assert seen.endswith("api\n")
    # One that works on both has another cache, so that the one's code can't write where the other's tasks read.
    assert "No such file" in work(folder, claude, look, poison, opens=["api", "site"])[0]
    written = {path.parent.parent.name for path in folder.workspace.with_name("caches").glob("*/pip/poison")}
    assert written == {"site", "api+site"}
