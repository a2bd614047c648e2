"""A session that works on a git repository: cloned, committed to, pushed to a real git server that asks for a token."""

import subprocess
import threading

import pytest
from msgspec.structs import replace

from agent.settings import Egress, Repository
from doubles.git.server import Server
from wire.types import EventKind, Exit

from .test_process import Folder

pytestmark = pytest.mark.root
HOST, TOKEN = "git.example.com", "canary-token-0123456789"
BRANCH = "jada/01jd3q00000000000000000000"
EDIT = "cd /workspace/site && echo double >>beds.txt && git commit -qam 'Count the double bed'"


def git(*words, cwd=None):
    who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c", "safe.directory=*"]
    return subprocess.run(["git", *who, *words], cwd=cwd, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def server(tmp_path):
    """A repository with two commits on main."""
    folder, first = tmp_path / "repositories", tmp_path / "first"
    git("init", "-q", "--bare", "-b", "main", str(folder / "site.git"))
    git("init", "-q", "-b", "main", str(first))
    (first / "beds.txt").write_text("single\n")
    (first / "check").write_text("test $(wc -l <beds.txt) -ge 2\n")
    git("add", ".", cwd=first)
    git("commit", "-qm", "Begin", cwd=first)
    git("commit", "-qm", "Go on", "--allow-empty", cwd=first)
    git("push", "-q", str(folder / "site.git"), "main", cwd=first)
    with Server(folder, HOST, TOKEN, ("127.0.0.1", 0)) as made:
        threading.Thread(target=made.serve_forever, args=(0.02,), daemon=True).start()
        made.site = folder / "site.git"
        made.url = f"https://{HOST}:{made.server_port}/site.git"
        yield made
        made.shutdown()


@pytest.fixture
def folder(tmp_path, claude, server, forks):
    made = Folder(tmp_path, claude.url, forks)
    (tmp_path / "hosts").write_text(f"127.0.0.1 localhost {HOST}\n")
    made.hosts = tmp_path / "hosts"
    (made.credentials / "egress_secrets").write_text(f"git = {TOKEN}\n")
    (tmp_path / "ca.pem").write_bytes(server.authority)
    egress = Egress(private=("127.0.0.1/32",), trust=str(tmp_path / "ca.pem"))
    site = Repository(address=server.url, secret="git", checks=("sh check",))
    made.settings = replace(made.settings, egress=egress, repositories={"site": site})
    made.mirrors = tmp_path / "mirrors"
    made.claim()
    return made


def played(claude, *commands, outcome="done", **more):
    """A session that opens the repository, runs commands, and finishes."""
    calls = [[claude.use("bash", n, command=command)] for n, command in enumerate(commands, 1)]
    done = claude.use("finish", 99, result="Counted.", outcome=outcome, **more)
    claude.plays = [[claude.use("open_repository", 0, repository="site")], *calls, [done]]


def results(folder):
    return [event.data for event in folder.events(EventKind.TOOL_RESULT)]


def pushed(server):
    lines = git("for-each-ref", "--format=%(refname) %(subject)", cwd=server.site).splitlines()
    return dict(line.split(" ", 1) for line in lines)


def test_a_branch_of_its_own_is_pushed_and_its_commits_are_handed_over(folder, claude, server, tmp_path):
    played(claude, EDIT)
    assert folder.run() == Exit.FINISHED, folder.said
    opened = results(folder)[0]["content"]
    assert f"/workspace/site, on branch {BRANCH} of main" in opened
    assert "Go on" in opened
    assert pushed(server) == {"refs/heads/main": "Go on", f"refs/heads/{BRANCH}": "Count the double bed"}
    last = folder.last.data
    assert last["result"].startswith(f"Counted.\n\nsite: branch {BRANCH} was pushed with 1 commits")
    assert "These passed before: sh check." in last["result"]
    assert last["files"] == ["site.bundle", "site.diff"]
    assert "+double" in (folder.path / "files" / "site.diff").read_text()
    again = tmp_path / "again"
    git("clone", "-q", str(server.site), str(again))
    git("fetch", "-q", str(folder.path / "files" / "site.bundle"), "HEAD", cwd=again)
    assert git("log", "-1", "--format=%s %an", "FETCH_HEAD", cwd=again) == "Count the double bed jada\n"


def test_the_token_is_nowhere_but_on_the_wire(folder, claude, server):
    look = "cat .git/config; env; git remote -v; cat /proc/*/environ 2>/dev/null; ls -a /repositories /run/jada"
    played(claude, EDIT, f"cd /workspace/site; {look}")
    assert folder.run() == Exit.FINISHED, folder.said
    assert all(allowed for _, _, allowed in server.requests)
    assert server.url in results(folder)[2]["content"]
    for root in (folder.path, folder.workspace, folder.mirrors):
        for path in root.rglob("*"):
            assert not path.is_file() or TOKEN.encode() not in path.read_bytes(), path
    assert TOKEN not in folder.said + str(claude.requests)


@pytest.mark.parametrize(
    ("refspec", "why"),
    [("HEAD:refs/heads/main", "refs/heads/main"), ("HEAD:refs/tags/v1", "refs/tags/v1"),
     (f":refs/heads/{BRANCH}", "would delete"), ("-o ci.skip HEAD:jada/x", "options")],
)  # fmt: skip
def test_a_push_to_anything_else_is_refused_by_the_proxy(folder, claude, server, refspec, why):
    git("config", "receive.advertisePushOptions", "true", cwd=server.site)
    first = f"cd /workspace/site && git push -q origin HEAD:{BRANCH}"
    played(claude, EDIT, first, f"cd /workspace/site && git push origin {refspec}")
    assert folder.run() == Exit.FINISHED, folder.said
    assert results(folder)[2]["is_error"] is False
    refused = results(folder)[3]
    assert refused["is_error"]
    assert why in refused["content"].partition("[the network refused")[2]
    assert set(pushed(server)) == {"refs/heads/main", f"refs/heads/{BRANCH}"}


def test_nothing_else_of_the_server_is_reached_with_the_token(folder, claude, server):
    git("init", "-q", "--bare", str(server.folder / "other.git"))
    other = server.url.replace("site.git", "other.git")
    played(claude, f"git ls-remote {other}", f"curl -sS {server.url}/HEAD", EDIT)
    assert folder.run() == Exit.FINISHED, folder.said
    assert [result["is_error"] for result in results(folder)[1:3]] == [True, False]
    assert "only git's own" in results(folder)[2]["content"]
    assert not [path for _, path, _ in server.requests if "other" in path or "HEAD" in path]


def test_a_check_that_does_not_pass_keeps_the_task_from_being_done(folder, claude, server):
    played(claude, "cd /workspace/site && git commit -q --allow-empty -m Nothing")
    claude.plays[-1:] = [claude.plays[-1], [claude.use("bash", 5, command=EDIT)], [claude.use("finish", 6, result="x")]]
    assert folder.run() == Exit.FINISHED, folder.said
    refused = results(folder)[2]
    assert (refused["is_error"], "A check of site does not pass: sh check" in refused["content"]) == (True, True)
    assert pushed(server)[f"refs/heads/{BRANCH}"] == "Count the double bed"


def test_what_is_not_done_is_pushed_without_checks_and_does_not_say_that_they_passed(folder, claude, server):
    played(claude, "cd /workspace/site && git commit -q --allow-empty -m Half", outcome="partly", needed="a key")
    assert folder.run() == Exit.STUCK, folder.said
    assert pushed(server)[f"refs/heads/{BRANCH}"] == "Half"
    assert "passed" not in str(folder.last.data)


def test_what_is_not_committed_is_not_left_behind(folder, claude, server):
    played(claude, "cd /workspace/site && echo triple >>beds.txt")
    claude.plays[-1:] = [claude.plays[-1], [claude.use("bash", 5, command=EDIT)], [claude.use("finish", 6, result="x")]]
    assert folder.run() == Exit.FINISHED, folder.said
    assert "not committed" in results(folder)[2]["content"]
    assert "beds.txt" in results(folder)[2]["content"]


def test_pushed_is_said_only_of_what_the_server_has(folder, claude, server):
    """A server that takes a push and does something else with it."""
    hook = server.site / "hooks" / "post-receive"
    hook.write_text(f"#!/bin/sh\ngit update-ref refs/heads/{BRANCH} refs/heads/main\n")
    hook.chmod(0o755)
    played(claude, EDIT)
    claude.plays += [[claude.use("finish", 7, result="x", outcome="partly", needed="y")], [claude.text("I stop.")]]
    assert folder.run() == Exit.STUCK, folder.said
    assert "its server shows another commit" in results(folder)[2]["content"]
    assert "was pushed with" not in str(folder.last.data)


def test_what_a_tool_configures_in_its_copy_runs_inside_only(folder, claude, server, tmp_path):
    """git carries out what is configured: here a program that marks where it runs."""
    trap = tmp_path / "trapped"
    evil = f"touch {trap} /workspace/ran 2>/dev/null; true"
    configure = " && ".join(
        [
            "cd /workspace/site",
            f"printf '#!/bin/sh\\n%s\\n' '{evil}' >.git/evil && chmod +x .git/evil",
            "for hook in pre-push post-checkout pre-commit; do cp .git/evil .git/hooks/$hook; done",
            "git config core.fsmonitor .git/evil && git config diff.external .git/evil",
            "git config core.sshCommand .git/evil && git config credential.helper .git/evil",
        ]
    )
    played(claude, EDIT, configure)
    assert folder.run() == Exit.FINISHED, folder.said
    assert (folder.workspace / "ran").exists()
    assert not trap.exists()


def test_a_later_session_goes_on_where_the_branch_is_and_a_mirror_is_brought_up_to_date(
    folder, claude, server, tmp_path
):
    played(claude, EDIT)
    assert folder.run() == Exit.FINISHED
    first = tmp_path / "first"
    git("commit", "-qm", "Meanwhile", "--allow-empty", cwd=first)
    git("push", "-q", str(server.site), "main", cwd=first)
    for root in (folder.path, folder.workspace):
        subprocess.run(["rm", "-rf", str(root)], check=True)
    folder.path.mkdir()
    folder.claim()
    claude.requests.clear()
    played(claude, "cd /workspace/site && git log --format=%s -3 HEAD && git log --format=%s -1 origin/main")
    assert folder.run() == Exit.FINISHED, folder.said
    said = results(folder)[1]["content"].splitlines()
    assert said == ["Count the double bed", "Go on", "Begin", "Meanwhile"]


@pytest.mark.parametrize("came", ["nothing but the bundle", "a torn copy too"])
def test_what_was_committed_travels_to_another_host_without_its_mirror(folder, claude, server, came):
    played(claude, EDIT)
    claude.plays[-1] = [claude.use("ask_person", 9, question="Go on?")]
    assert folder.run() == Exit.ASKED, folder.said
    site = folder.workspace / "site"
    subprocess.run(["rm", "-rf", str(folder.mirrors), str(folder.path)], check=True)
    subprocess.run(["rm", "-rf", str(site if came.startswith("nothing") else site / ".git" / "objects")], check=True)
    folder.path.mkdir()
    folder.claim()
    claude.requests.clear()
    played(claude, "cd /workspace/site && git log --format=%s && git status --short")
    assert folder.run() == Exit.FINISHED, folder.said
    assert results(folder)[1]["content"].split("\n")[:3] == ["Count the double bed", "Go on", "Begin"]
    assert ("site.before" in results(folder)[0]["content"]) == came.startswith("a torn")
    assert pushed(server)[f"refs/heads/{BRANCH}"] == "Count the double bed"


def test_a_copy_shares_the_mirrors_objects_and_can_not_write_them(folder, claude, server, tmp_path):
    first = tmp_path / "first"
    (first / "large").write_bytes(__import__("random").Random(1).randbytes(5_000_000))
    git("add", ".", cwd=first)
    git("commit", "-qm", "Large", cwd=first)
    git("push", "-q", str(server.site), "main", cwd=first)
    played(claude, "touch /repositories/site/x; du -sk /workspace/site/.git | cut -f1", EDIT)
    assert folder.run() == Exit.FINISHED, folder.said
    readonly, kb, *_ = results(folder)[1]["content"].split("\n")
    assert "Read-only file system" in readonly
    assert int(kb) < 1000


@pytest.mark.parametrize("depth", [0, 1])
def test_history_is_as_deep_as_asked(folder, claude, server, depth):
    site = replace(folder.settings.repositories["site"], depth=depth)
    folder.claim(repositories={"site": site})
    played(claude, "cd /workspace/site && git log --format=%s", EDIT)
    assert folder.run() == Exit.FINISHED, folder.said
    assert results(folder)[1]["content"].split() == (["Go", "on"] if depth else ["Go", "on", "Begin"])
    assert f"refs/heads/{BRANCH}" in pushed(server)


def test_a_repository_that_can_not_be_fetched_is_told_and_a_killed_fetch_stops_no_later_one(folder, claude, server):
    (folder.mirrors / "site" / "repository.git").mkdir(parents=True)
    git("init", "-q", "--bare", str(folder.mirrors / "site" / "repository.git"))
    (folder.mirrors / "site" / "repository.git" / "shallow.lock").touch()
    (folder.mirrors / "site" / "repository.git" / "packed-refs.lock").touch()
    (folder.credentials / "egress_secrets").write_text("git = another-token-01\n")
    claude.plays = [[claude.use("open_repository", 0, repository="site")], [claude.use("ask_person", 1, question="?")]]
    assert folder.run() == Exit.ASKED, folder.said
    (told,) = results(folder)
    assert (told["is_error"], "could not be fetched" in told["content"]) == (True, True)
    (folder.credentials / "egress_secrets").write_text(f"git = {TOKEN}\n")
    folder.path.joinpath("journal.jsonl").unlink()
    claude.requests.clear()
    played(claude, EDIT)
    assert folder.run() == Exit.FINISHED, folder.said


def test_a_model_is_told_of_its_repositories_and_without_any_it_has_no_such_tool(folder, claude):
    played(claude, EDIT)
    folder.run()
    assert (
        "open_repository gives you a working copy of a git repository: site (branch main)."
        in claude.requests[0]["system"]
    )
    assert [tool["name"] for tool in claude.requests[0]["tools"]][-1] == "open_repository"
