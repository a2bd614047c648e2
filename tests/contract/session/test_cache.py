"""Dependencies of a repository, fetched by pip from an index over HTTPS, once for all its tasks."""

import datetime as dt
import ensurepip
import io
import shutil
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from msgspec.structs import replace

from agent.record.workspace import opened as note
from agent.sandbox.egress.authority import issue
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


class Index(BaseHTTPRequestHandler):
    """A package index as PyPI is one (PEP 503): what a file's name says never changes."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.asked.append(self.path)
        is_file = self.path == f"/files/{WHEEL}"
        body = wheel() if is_file else f'<a href="/files/{WHEEL}">{WHEEL}</a>'.encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/octet-stream" if is_file else "text/html")
        self.send_header("Cache-Control", "max-age=365000000, immutable" if is_file else "max-age=600")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def index(tmp_path, folder):  # noqa: F811 - the fixture
    """An index that the session's calls reach; `asked` are the paths that came."""
    vendor = issue([HOST], dt.datetime.now(dt.UTC))
    made = ThreadingHTTPServer(("127.0.0.1", 0), Index)
    made.asked = []
    made.socket = vendor.context().wrap_socket(made.socket, server_side=True)
    threading.Thread(target=made.serve_forever, args=(0.02,), daemon=True).start()
    place = f"{HOST}:{made.server_address[1]}"
    with (tmp_path / "ca.pem").open("a") as trusted:
        trusted.write(vendor.authority)
    folder.settings = replace(folder.settings, egress=replace(folder.settings.egress, allow=(place,)))
    pip = (
        "PYTHONPATH=/workspace/pip.whl python3 -m pip install -q --disable-pip-version-check --root-user-action=ignore"
    )
    use = "PYTHONPATH=lib python3 -c 'import beds; print(beds.COUNT)'"
    made.install = f"{pip} --target lib --index-url https://{place}/simple beds && {use}"
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


def test_a_second_task_of_a_repository_does_not_fetch_its_dependencies_again(folder, claude, index):  # noqa: F811
    assert work(folder, claude, index.install)[0].endswith("42\n")
    assert f"/files/{WHEEL}" in index.asked
    assert "is kept in /cache" in results(folder)[0]["content"]
    index.asked.clear()
    assert work(folder, claude, index.install)[0].endswith("42\n")
    # pip always asks what there is; what it has, it takes.
    assert index.asked == ["/simple/beds/"]
    # Neither does one find it that has not opened the repository.
    assert "No such file" in work(folder, claude, "ls /cache /repositories", opens=())[0]


def test_what_one_repository_leaves_in_its_cache_reaches_no_task_of_another(folder, claude, server, index):  # noqa: F811
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
