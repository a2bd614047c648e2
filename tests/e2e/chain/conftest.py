"""A local cloud for the tests of the chain: made by the demo itself, and removed after. Each process that runs some has
one of its own, and takes the next file when it is free (tests/scheduler.py). A whole demo is that of those tests only
that look at what it did; in the others it ends with the deploy, and a sync.

What is on the machine before and after is compared: `make down` leaves nothing behind.
"""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from local import demo as of_users
from local import environment
from local.ports import reserved
from local.process import wait_until
from local.steps import Steps
from local.temporary import temporary_site
from provision.progress import Progress
from provision.target import load_target
from tests.forks import FAB, Forks
from tests.plugins import Plugins
from wire.client import Client, RequestRefused, Unreachable

OWN = ["env", "--unset=SUDO_UID", sys.executable, "-m"]
"""Root's own demo, also where the tests are run by sudo: it would be that user's."""
LOCAL = [*OWN, "local"]
ASKED_ONCE = Path(__file__).parent / "asked_once"
WORKER = [*OWN, "tests.e2e.chain.worker"]


class Chain:
    """The cloud that is up, as an operator's shell sees it; `told` is what the demo printed.

    The operator is root, or the newcomer for whom it was made.
    """

    limit_s = 280
    """Of a command: a little less than a test has."""
    has_worked = True
    """Whether the demo's tasks are done there."""

    def __init__(self, site, told, newcomer=None):
        self.site, self.told, self.folder = site, told, environment.project(site)
        if newcomer:
            self.env, self._identity = newcomer.entered(site), newcomer.identity
        else:
            self.env, self._identity = {**os.environ, **environment.variables(site, os.environ["PATH"])}, {}
        self._login, self._host, self._forks, self._plugins = contextlib.ExitStack(), None, None, None

    def run(self, *command, check=True, limit_s=None):
        done = subprocess.run(
            command, env=self.env, cwd=self.folder, capture_output=True, text=True, check=False,
            timeout=limit_s or self.limit_s,
            **self._identity,
        )  # fmt: skip
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    @property
    def _env_of_copies(self):
        """What the shell has now: a test may change it, and take the engine away."""
        path = self.env["PATH"]
        first = [str(ASKED_ONCE)] if shutil.which("pulumi", path=path) else []
        return {**self.env, "PATH": os.pathsep.join([*first, path])}

    def pulumi(self, *words):
        """Run a command of Pulumi's whose plugins run already; what a user types starts them, as the demo does."""
        if self._plugins is None:
            self._plugins = Plugins()
        return self.run("env", *(f"{name}={value}" for name, value in self._plugins.env.items()), "pulumi", *words)

    def fab(self, task, *args, check=True):
        """Run a command to its end; where root is the operator, by a copy of one `fab` that has been imported."""
        if self._identity:
            return self.run("fab", task, *args, check=check)
        done = self._copies().run(task, *args, env=self._env_of_copies, limit_s=self.limit_s)
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def _fab_running(self, *words, env):
        """Start a command that goes on until it is told to end; `env` is what is set besides."""
        if not self._identity:
            return self._copies().running(*words, env={**self._env_of_copies, **env})
        said = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, **self._identity}
        return subprocess.Popen(["fab", *words], env={**self.env, **env}, cwd=self.folder, **said)

    def _copies(self):
        if self._forks is None:
            self._forks = Forks(FAB, self.folder)
        return self._forks

    def host(self, command, check=True):
        """Run a command on the host as root, over one login: a `fab ssh` for each would take minutes in all."""
        if self._host is None:
            target = load_target("local", self.env, self.folder)
            self._host = self._login.enter_context(target.connected(None, Progress(aside=True)))
        return self._host.run(["sh", "-c", command if check else f"{command}\n:"]).decode()

    def as_user(self, user, program):
        """Run Python on the host as one of its users, from the release that runs there."""
        folder = "/opt/jada-agent/current"
        return self.host(f"cd {folder}/app && runuser -u {user} -- {folder}/venv/bin/python - <<'END'\n{program}\nEND")

    def have_worked(self):
        """See to it that the demo's tasks are done, where they are not."""
        if not self.has_worked:
            with self.dashboard() as client:
                of_users.tasks_done(self.site, client, Steps(self.site.state / "logs"))
            self.has_worked = True

    def remove_secrets(self, *names):
        """Take optional secrets from the host again; that they are gone is then right, not a change by hand."""
        self.host("rm " + " ".join(f"/home/jada/secrets/{name}" for name in names))
        for name in names:
            self.fab("accept", f"secret {name}")

    def close(self):
        """End what this started for itself."""
        self.log_out()
        for each in (self._forks, self._plugins):
            if each is not None:
                each.close()

    def log_out(self):
        """Forget the login, before what ends it."""
        self._login.close()
        self._host = None

    @contextlib.contextmanager
    def dashboard(self, *more):
        """A client of the API, through a tunnel; `more` is what else `fab dashboard` is told."""
        with self.tunnel(*more) as tunnel:
            yield tunnel.client

    @contextlib.contextmanager
    def tunnel(self, *more):
        """What `fab dashboard` opens and prints."""
        with reserved() as port, tempfile.TemporaryDirectory() as folder:
            client = Client(f"unix:{folder}/queue.sock")
            words = ["dashboard", "--port", str(port), "--socket", f"{folder}/queue.sock", *more]
            os.chown(folder, self._identity.get("user", -1), -1)
            with self._fab_running(*words, env={"JADA_OPERATOR": "anna"}) as process:
                try:
                    # It asks for the link through the tunnel: a test that stopped the dashboard before would end it.
                    link = printed_link(process.stdout)
                    assert wait_until(lambda: is_ready(client), 120)
                    yield Tunnel(client, port, link)
                finally:
                    process.terminate()


@dataclass
class Tunnel:
    """An open tunnel: a client of the API, the page's port, and the link that signs in."""

    client: Client
    port: int
    link: str


def printed_link(lines):
    """Return the link among what `fab dashboard` prints, once it is there."""
    said = []
    for line in lines:
        said.append(line)
        if found := re.search(r"http://jada-local\.localhost:\S+", line):
            return found[0]
    raise AssertionError("".join(said))


def is_ready(client):
    """Whether the queue answers, and was just written and read back."""
    with contextlib.suppress(Unreachable, RequestRefused):
        return client.ready().status == "ready"
    return False


def traces(site):
    """All that this local cloud could leave on the machine, and nothing of another that may be up, come or go."""
    words = (f"{site.name}-", f"10.{site.octet}.")
    mounts = {line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()}
    commands = [contents(path) for path in Path("/proc").glob("[0-9]*/cmdline")]
    tables = [["nft", "list", "ruleset"], ["ip", "route"], ["ip", "address"], ["ip", "rule"]]
    listed = [subprocess.run(table, capture_output=True, text=True, check=True).stdout for table in tables]
    return {
        "mounts": {mount for mount in mounts if mount.startswith(str(site.state))},
        "namespaces": {path.name for path in Path("/run/netns").glob(f"{site.name}-*")},
        "cgroups": {str(path) for end in ("/*", "-h*") for path in Path("/sys/fs/cgroup").glob(f"*/{site.name}{end}")},
        "processes": {command for command in commands if str(site.state).encode() in command},
        "network": [line for text in listed for line in text.splitlines() if any(word in line for word in words)],
        "state": site.state.exists(),
    }


def contents(path):
    """What a process's file says; nothing once the process has ended, as any on the machine may meanwhile."""
    try:
        return path.read_bytes()
    except OSError:
        return b""


def pytest_collection_modifyitems(items):
    """Let the cloud have its own limit: made in the time of a first test, it is no part of that test's."""
    for item in items:
        if item.path.parent == Path(__file__).parent and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(300, func_only=True))


FIRST = pytest.StashKey[str]()
AFTER_A_KILL = "test_demo.py"
"""Where its tests are the first, a whole demo is made, after one that was killed halfway; see tests/conftest.py."""


def pytest_runtest_setup(item):
    item.config.stash.setdefault(FIRST, item.path.name)


@pytest.fixture(scope="session")
def chain(pytestconfig):
    whole = pytestconfig.stash[FIRST] == AFTER_A_KILL
    with demo(before=_killed_halfway, whole=whole) if whole else demo(whole=False) as chain:
        yield chain


@contextlib.contextmanager
def demo(*options, before=None, newcomer=None, whole=True, limit_s=900):
    """A demo on a site of its own, of which nothing stays; what `before` did there first is the chain's `second`.

    A newcomer types README's own lines, `sudo make`; without one it is root's. One that is not `whole` ends with the
    deploy.
    """
    # The site's own lock is the demo's to take.
    with temporary_site(lock=False) as site:
        site.state.rmdir()
        found = traces(site)
        where = ["--site", site.name, "--octet", str(site.octet)]
        local = [*LOCAL, *where]

        def ended(command, limit_s, *options):
            captured = {"capture_output": True, "text": True, "timeout": limit_s}
            if newcomer:
                return newcomer.sudo("make", command, f"JADA_SITE={site.name}", *options, **captured)
            words = [*local, command, *options] if whole or command != "demo" else [*WORKER, *where]
            return subprocess.run(words, cwd=environment.ROOT, check=False, **captured)

        try:
            second = before(site, local) if before else None
            done = ended("demo", limit_s, *options, *([f"JADA_OCTET={site.octet}"] if newcomer else []))
            assert done.returncode == 0, done.stdout + done.stderr
            chain = Chain(site, done.stdout, newcomer)
            chain.second, chain.has_worked = second, whole
            if not whole:
                # The second run writes nothing, as the demo's.
                chain.host("systemctl start port-sheet-sync.service; systemctl start port-sheet-sync.service")
            yield chain
            chain.close()
        finally:
            down = ended("down", 600)
            assert down.returncode == 0, down.stderr
        assert traces(site) == found


def _killed_halfway(site, local):
    """Start a demo, try a second beside it, and kill the first while Pulumi makes the box; returns what it said."""
    with subprocess.Popen([*local, "demo"], stdout=subprocess.DEVNULL, start_new_session=True) as first:
        assert wait_until((site.state / "logs" / "up.log").exists, 120)
        second = subprocess.run([*local, "demo"], capture_output=True, text=True, timeout=60, check=False)
        os.killpg(first.pid, signal.SIGKILL)
    return first.pid, second


REST = """
systemctl stop cron
while pgrep -x cron || systemctl list-jobs --no-legend | grep -E 'port-sheet-sync|jada-backup'; do sleep 0.1; done
"""
"""Cron stops, and what it began has ended: its children go on without it, and start a unit that they don't wait for."""


@pytest.fixture
def no_cron(chain):
    """Cron stands still: on the half hour its own run of the sync would come between two steps of a test."""
    chain.host(REST)
    yield
    chain.host("systemctl start cron")
