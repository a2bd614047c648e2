"""A real host behind a Lightsail API, and a small work tree to deploy to it, whose daemon tries its sandbox."""

import io
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from msgspec import structs
from rich.console import Console

from agent.sandbox.egress import listener
from doubles.lightsail.endpoint import create
from local import tools
from local.hosts import disk
from local.hosts.image import SUITES, USUAL, image_folder
from local.process import wait_until
from local.serve import running
from local.site import Site
from local.steps import Steps
from local.temporary import temporary_site
from provision.commands import secrets
from provision.progress import Progress
from provision.reach import access, inventory
from provision.reach.connection import connected
from provision.release.deploy import Source, deploy
from provision.settings import Settings
from provision.system.secrets import SECRETS
from tests.e2e.provision.host import until_proven
from wire.secret import Secret

NAME = "deployed"

NOTIFY = """
import os, socket
def notify(word):
    path = os.environ["NOTIFY_SOCKET"]
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sock.sendto(word.encode(), "\\0" + path[1:] if path[0] == "@" else path)
"""
AGENT = """
import json, os, pathlib, subprocess, time
from agent.sandbox.egress.listener import listen_inside
from wire import notify
assert pathlib.Path(os.environ["CREDENTIALS_DIRECTORY"], "anthropic_api_key").read_text().strip()
BWRAP = ["bwrap", "--unshare-all", "--die-with-parent", "--ro-bind", "/usr", "/usr", "--symlink", "usr/lib",
    "/lib", "--symlink", "usr/lib64", "/lib64", "--tmpfs", "/proc", "--dev", "/dev", "--bind", "/var/lib/jada-agent",
    "/work"]
subprocess.run([*BWRAP, "/usr/bin/touch", "/work/made-in-a-sandbox"], check=True)
reader, info = os.pipe()
ASK = "import socket; input(); print(socket.create_connection(('127.0.0.1', 3128)).recv(9).decode())"
with open("/var/lib/jada-agent/went-out", "wb") as said, subprocess.Popen(
    [*BWRAP, "--info-fd", str(info), "/usr/bin/python3", "-c", ASK], pass_fds=[info], stdin=subprocess.PIPE, stdout=said
) as inside:
    told = b""
    while not told.rstrip().endswith(b"}"):
        told += os.read(reader, 4096)
    listening = listen_inside(json.loads(told)["child-pid"])
    inside.stdin.write(b"go\\n")
    inside.stdin.flush()
    listening.accept()[0].sendall(b"hello")
notify("READY=1")
notify("STATUS=the queue answered; by a stand-in")
while True:
    time.sleep(10)
    notify("WATCHDOG=1")
"""
DASHBOARD = """
import http.server, os, socket, sqlite3
PATH = "/run/jada-dashboard/queue.sock"
from wire import notify
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"status": "ready"}')
    def do_POST(self):
        # Unread, it would reset the connection instead of ending it.
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(201 if add() else 500)
        self.end_headers()
def add():
    try:
        with sqlite3.connect(QUEUE) as queue:
            return queue.execute("INSERT INTO tasks VALUES ('one')")
    except sqlite3.Error:
        return None
QUEUE = "/var/lib/jada-dashboard/queue.db"
sqlite3.connect(QUEUE).executescript("CREATE TABLE IF NOT EXISTS tasks (title TEXT)")
class Server(http.server.HTTPServer):
    address_family = socket.AF_UNIX
    def server_bind(self):
        if os.path.exists(PATH):
            os.unlink(PATH)
        self.socket.bind(PATH)
        os.chmod(PATH, 0o660)
    def get_request(self):
        return self.socket.accept()[0], ("", 0)
    def service_actions(self):
        # Twice a second; a silent one is killed after a minute, in the middle of whatever test runs then.
        notify("WATCHDOG=1")
server = Server(PATH, Page)
notify("READY=1")
server.serve_forever()
"""
SENDER = """
import os, pathlib, sys, time
assert pathlib.Path(os.environ["CREDENTIALS_DIRECTORY"], "notify_targets").is_file()
while "test" not in sys.argv:
    time.sleep(60)
"""
PROJECT = (
    '[project]\nname = "jada"\nversion = "0"\nrequires-python = ">=3.11"\n[project.optional-dependencies]\nhost = []\n'
)
LOCK = (
    'version = 1\nrevision = 3\nrequires-python = ">=3.11"\n\n[[package]]\nname = "jada"\nversion = "0"\n'
    'source = { virtual = "." }\n\n[package.metadata]\nprovides-extras = ["host"]\n'
)


@dataclass
class Cloud:
    """One Lightsail of this machine with one instance."""

    site: Site
    url: str
    api: object

    @property
    def inventory(self):
        place = {"address": self.site.public_address(1), "private_address": self.site.private_address(1)}
        host = inventory.Host(name=NAME, username="admin", **place)
        return inventory.Inventory(region="us-east-1", endpoint=self.url, hosts=(host,))

    @property
    def disk(self):
        """The instance's file system, as a folder of this machine."""
        return disk.mounted(self.site.state / "hosts" / NAME)

    def access(self):
        return access.obtain(self.api, self.inventory.hosts[0], access.utc_now())

    def reboot(self):
        """Reboot the host; over once the cloud has no more to do in it, though it counts as running all the while."""
        (begun,) = self.api.reboot_instance(instanceName=NAME)["operations"]
        ended = lambda: self.api.get_operation(operationId=begun["id"])["operation"]["status"] != "Started"  # noqa: E731
        assert wait_until(ended, seconds=60)

    def until(self, state):
        assert wait_until(lambda: self.api.get_instance_state(instanceName=NAME)["state"]["name"] == state, seconds=60)


@pytest.fixture(scope="session")
def cloud():
    with temporary_site() as site:
        image = tools.image(Steps(site.state / "logs", Console(file=io.StringIO())))
        images = {name: image_folder(name) for name in SUITES} | {USUAL: image}
        with running(create(site.state, images, site)) as url:
            made = Cloud(site, url, access.client(inventory.Inventory(region="us-east-1", endpoint=url)))
            made.api.create_instances(
                instanceNames=[NAME],
                availabilityZone="us-east-1a",
                blueprintId="debian_12",
                bundleId="micro_3_0",
                tags=[{"key": "project", "value": "jada"}, {"key": "stack", "value": "local"}],
            )
            made.until("running")
            yield made


@pytest.fixture
def box(cloud):
    with connected(cloud.access(), 15) as host:
        # A new login, as the one by which `fab deploy` keeps sshd's settings.
        host.program("confirm", {})
        yield host


@pytest.fixture(scope="session")
def tree(tmp_path_factory):
    """A work tree whose parts are as small as they can be; nothing but pip is in its environment."""
    root = tmp_path_factory.mktemp("tree")
    files = {
        "pyproject.toml": PROJECT,
        "uv.lock": LOCK,
        "jada.local.toml": "[agent]\n[deploy]\n",
        "wire/__init__.py": NOTIFY,
        "agent/__main__.py": AGENT,
        "agent/sandbox/egress/listener.py": Path(listener.__file__).read_text(),
        "dashboard/__main__.py": DASHBOARD,
        "notify/__main__.py": SENDER,
        "sync/__main__.py": "print('in step')\n",
        "sync/scripts/auth_ga.py": "",
    }
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    return root


@pytest.fixture(scope="session")
def source(tree):
    settings = Settings(health_s=60, deployed_s=1, proven_s=2)
    return Source(tree, tree / "jada.local.toml", settings, "/run/jada-dashboard/queue.sock")


@pytest.fixture
def hasty(source):
    """The same, soon tired of waiting: for what never gets well."""
    return replace(source, settings=structs.replace(source.settings, health_s=10))


@pytest.fixture
def progress():
    return Progress(Console(file=io.StringIO(), width=200))


@pytest.fixture(scope="session")
def with_secrets(cloud):
    """The host has all secrets."""
    given = {name: Secret(f'{{"secret": "{name}"}}\n') for name in SECRETS if not SECRETS[name].optional}
    with connected(cloud.access(), 15) as host:
        return secrets.send(host, given)


@pytest.fixture
def deployed(box, source, progress, with_secrets):
    """The host has the work tree as it is now, proven: what a later deploy is taken back to."""
    deploy(box, source, progress)
    until_proven(box)
    return box
