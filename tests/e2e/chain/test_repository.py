"""A task on a deployed host clones a repository, pushes a branch, and its token is nowhere but in its file; and what a
deploy installs for tools works in the sandbox there.
"""

import base64
import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from local.process import wait_until
from tests.papers import docx, pdf, xlsx
from wire.types import Budget, EventKind, NewTask, State

pytestmark = [pytest.mark.root, pytest.mark.chain]
HOST, PORT, TOKEN = "git.example.com", 8710, "canary-token-0123456789"
AUTHORITY = "/srv/git-authority.pem"
SETTINGS = f"""
[agent.egress]
private = ["ADDRESS/32"]
trust = "{AUTHORITY}"

[agent.repositories.site]
address = "https://{HOST}:{PORT}/site.git"
secret = "git"
checks = ["test $(wc -l <beds.txt) -ge 2"]
"""
TOOLS = ("qpdf", "python3-pypdf", "xlsx2csv", "docx2txt")
READ = """
qpdf --check rates.pdf >/dev/null && qpdf --show-npages rates.pdf
python3 -c "import pypdf; print(pypdf.PdfReader('rates.pdf').pages[2].extract_text())"
xlsx2csv beds.xlsx
docx2txt letter.docx -
"""
SANDBOX = f"""
import base64, json, math, pathlib, sys, tempfile, time
from agent.sandbox.run import Sandbox
from agent.sandbox.waiting import Job
from agent.settings import ToolLimits
with tempfile.TemporaryDirectory(dir="/var/lib/jada-agent") as folder:
    workspace = pathlib.Path(folder, "workspace")
    workspace.mkdir()
    for name, content in json.load(sys.stdin).items():
        (workspace / name).write_bytes(base64.b64decode(content))
    sandbox = Sandbox(workspace, ToolLimits(), time.monotonic, lambda: math.inf)
    outcome = sandbox.run(Job(["/bin/bash", "-ec", {READ!r}]))
print((outcome.head + outcome.tail).decode(), outcome.code)
"""
PLACES = "/var/lib/jada-agent /var/lib/jada-dashboard /var/log /opt /etc /tmp"


def git(*words, cwd=None):
    who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c", "safe.directory=*"]
    return subprocess.run(["git", *who, *words], cwd=cwd, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def server(chain, tmp_path):
    """A repository behind HTTPS and a token, beside the other doubles; returns its folder."""
    folder, first = tmp_path / "repositories", tmp_path / "first"
    git("init", "-q", "--bare", "-b", "main", str(folder / "site.git"))
    git("init", "-q", "-b", "main", str(first))
    (first / "beds.txt").write_text("single\n")
    git("add", ".", cwd=first)
    git("commit", "-qm", "Begin", cwd=first)
    git("push", "-q", str(folder / "site.git"), "main", cwd=first)
    address = ("--address", chain.site.cloud_address, "--port", str(PORT))
    command = [sys.executable, "-m", "doubles.git", str(folder), "--host", HOST, *address, "--token", TOKEN]
    inside = ["nsenter", f"--net=/run/netns/{chain.site.edge}", "--", *command]
    with subprocess.Popen(inside, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3]) as process:
        try:
            assert process.stdout.readline().startswith("git: https://")
            yield folder
        finally:
            process.terminate()


@pytest.fixture
def settings(chain, server, tmp_path):
    """The host knows the repository, its server's name and its token, and has what a deploy installs for it."""
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "egress_secrets").write_text(f"git = {TOKEN}\n")
    authority = (server / "authority.pem").read_text()
    chain.host(f"cat >{AUTHORITY} <<'END'\n{authority}END\ncp /etc/hosts /root/hosts.before")
    chain.host(f"echo '{chain.site.cloud_address} {HOST}' >>/etc/hosts")
    before = chain.host("dpkg-query --show --showformat='${Package}\\n'").split()
    file = chain.folder / "jada.local.toml"
    text, link = file.read_text(), file.readlink() if file.is_symlink() else None
    file.unlink()
    with_tools = text.replace("# tool_packages = ", "tool_packages = ", 1)
    assert all(f'"{name}"' in with_tools.partition("\ntool_packages = ")[2].partition("\n")[0] for name in TOOLS)
    file.write_text(with_tools + SETTINGS.replace("ADDRESS", chain.site.cloud_address))
    chain.fab("secrets", "--from", str(tmp_path / "secrets"))
    chain.fab("deploy")
    yield
    file.unlink()
    file.symlink_to(link) if link else file.write_text(text)
    more = [name for name in chain.host("dpkg-query --show --showformat='${Package}\\n'").split() if name not in before]
    chain.host(f"dpkg --purge {' '.join(more)}; mv /root/hosts.before /etc/hosts; rm -f {AUTHORITY}")
    chain.remove_secrets("egress_secrets")
    chain.fab("accept", "area the rest of /etc")  # what the packages had there is gone again
    chain.fab("deploy")
    chain.fab("attach")


# Two deploys and a task; a machine under load takes minutes for them.
@pytest.mark.timeout(600, func_only=True)
def test_a_branch_is_pushed_and_its_token_is_nowhere(chain, server, settings):
    with chain.dashboard() as client:
        budget = Budget(sessions=1, usd_micros=2_000_000)
        task = client.add_task(NewTask(title="Count the double bed in the repository", budget=budget))
        over = (State.DONE, State.FAILED, State.NEEDS_YOU)
        assert wait_until(lambda: client.task(task.id).state in over, 180, 0.3)
        done = client.task(task.id)
        assert done.state is State.DONE, done
        assert b"+double" in client.result_file(task.id, "site.diff")
        events = [event for session in client.sessions(task.id) for event in client.events(session.id)]
    # All that its tools were shown: the environment, what runs inside, and git's own files.
    seen = [event.data["content"] for event in events if event.kind is EventKind.TOOL_RESULT]
    assert any("https_proxy=" in text and "[remote" in text for text in seen)
    assert not any(TOKEN in str(event.data) for event in events)
    branch = f"refs/heads/jada/{task.id.lower()}"
    pushed = git("for-each-ref", "--format=%(refname) %(subject)", cwd=server / "site.git").splitlines()
    assert pushed == [f"{branch} Count the double bed", "refs/heads/main Begin"]
    # Where it belongs it is found, by the same search; a pattern, because sudo logs what is run.
    look = f"grep -rlaE '{TOKEN[:-1]}[{TOKEN[-1]}]'"
    assert chain.host(f"{look} /home/jada/secrets").split() == ["/home/jada/secrets/egress_secrets"]
    assert chain.host(f"{look} {PLACES}", check=False) == ""
    assert (
        chain.host(f"journalctl --output=cat --no-pager | grep -caE '{TOKEN[:-1]}[{TOKEN[-1]}]'", check=False).strip()
        == "0"
    )
    # The same deploy installed what files need, and the session's model was told of it.
    (header,) = [event.data for event in events if event.kind is EventKind.HEADER]
    assert f"Installed besides, as Debian packages: {', '.join(TOOLS)}, curl, git." in header["system"]
    assert in_the_sandbox(chain).split() == ["3", "Reservierung", "bed,n", "double,2", "Two", "beds", "0"]


def in_the_sandbox(chain):
    """Read files of each kind where a call of the worker would, as its user and by its release."""
    files = {"rates.pdf": pdf(3, "Reservierung"), "beds.xlsx": xlsx(("bed", "n"), ("double", "2"))}
    files["letter.docx"] = docx("Two beds")
    given = json.dumps({name: base64.b64encode(content).decode() for name, content in files.items()})
    run = "systemd-run --quiet --pipe --wait --collect --uid=jada --working-directory=/opt/jada-agent/current/app"
    program = f"/opt/jada-agent/current/venv/bin/python -c {shlex.quote(SANDBOX)}"
    return chain.host(f"echo {shlex.quote(given)} | {run} {program}")
