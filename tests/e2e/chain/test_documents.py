"""Each command block of the documents is run, as the operator it is written for: none can go stale or be forgotten.

They speak of stack prod; here that is the local one. A block that can't be run says why, in the table below.
"""

import os
import re
import subprocess
import urllib.request
from dataclasses import dataclass, replace
from urllib.parse import urlencode

import pytest
import urllib3

from local import environment
from local.ports import reserved

FENCE = re.compile(r"^(?P<indent> *)```(?P<mark>\S*)\n(?P<text>.*?)^ *```$", re.MULTILINE | re.DOTALL)
DOCUMENTS = (
    "README.md",
    "docs/operating.md",
    "docs/bookings.md",
    "docs/google.md",
    "docs/start.md",
    "docs/real-check.md",
    "docs/ci.md",
)
DEMO = "sudo make demo        # the whole chain: a host behind its firewall, three tasks, the sheet, the proof"
NOT_HERE = {
    DEMO: "makes a demo on the usual site and ends it: the chain's own fixture does both, on a site of its own",
    "sudo make demo": "as above",
    "sudo make down": "as above",
    "make real-check SETTINGS=mine.toml SECRETS=my-secrets CIDR=203.0.113.7/32": "needs a real AWS account",
    'pulumi login "s3://$BUCKET?region=$REGION"': "needs the bucket and the key of a real AWS account",
}
"""The first line of a block → why the local cloud can't run it."""
AWS = """\
#!/bin/sh
# aws holds each call to AWS's own model of it, and then meets a port at which no program listens.
said=$(AWS_MAX_ATTEMPTS=1 {aws} "$@" --endpoint-url http://127.0.0.1:9 2>&1)
case "$said" in *"Could not connect to the endpoint URL"*) ;; *) echo "$said" >&2; exit 1 ;; esac
case " $* " in *" --query "*) echo made-up ;; esac
"""


@dataclass(frozen=True)
class Block:
    document: str
    mark: str
    text: str

    @property
    def first(self):
        return self.text.splitlines()[0]

    @property
    def local(self):
        """The block for the stack that there is here, under which nothing asks for a confirmation."""
        return re.sub(r"\bprod\b", "local", self.text)


def blocks(document):
    text = (environment.ROOT / document).read_text(encoding="utf-8")
    found = list(FENCE.finditer(text))
    assert 2 * len(found) == sum(line.lstrip().startswith("```") for line in text.splitlines())
    return [
        Block(document, m["mark"], re.sub(f"^{m['indent']}", "", m["text"], flags=re.MULTILINE))
        for m in found
        if m["mark"] not in ("text", "toml")
    ]


ALL = [block for document in DOCUMENTS for block in blocks(document)]


def only(words):
    (block,) = (block for block in ALL if words in block.text)
    return block


def named(block):
    return f"{block.document}: {block.first[:40]}"


STATE, ROLE = only("REGION="), only("aws iam create-role")
ADOPT, CONSENT = only("P=aws="), only("fab reauth")
REPLACE = only("fab pause --whole")
LOOK, GIVE, REHEARSE = only("fab dashboard  "), only("fab task.add --title"), only("make real-check REHEARSE=1")
BY_HAND = (STATE, ROLE, ADOPT, CONSENT, LOOK, GIVE, REHEARSE, REPLACE)
"""Blocks that a test of their own runs: they wait for someone, or are a story (test_replaced.py)."""
PLAIN = [block for block in ALL if block.first not in NOT_HERE and block not in BY_HAND]


@pytest.mark.parametrize("block", ALL, ids=named)
def test_every_block_is_marked_as_shell_and_is_shell(block):
    assert block.mark == "sh"
    subprocess.run(["sh", "-n"], input=block.text, text=True, check=True)


def test_what_is_not_run_is_in_the_documents():
    assert set(NOT_HERE) <= {block.first for block in ALL}


@pytest.mark.parametrize("block", [STATE, ROLE], ids=named)
def test_aws_knows_each_call_and_each_word_of_those_that_act_on_an_account(block, tmp_path):
    (tmp_path / "aws").write_text(AWS.format(aws=environment.ROOT / ".venv" / "bin" / "aws"))
    (tmp_path / "aws").chmod(0o755)
    login = {"AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none", "AWS_DEFAULT_REGION": "us-east-1"}
    env = {"PATH": f"{tmp_path}:{os.environ['PATH']}", **login}
    done = subprocess.run(
        ["sh", "-eu", "-c", block.text], env=env, cwd=environment.ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def shell(chain, block):
    """How a block is started: by a shell that ends at the first command that fails."""
    # Not as a part of `make test`: a make below another says so, where a shell reads what it prints.
    outer = ("MAKELEVEL", "MAKEFLAGS", "MFLAGS")
    env = {name: value for name, value in chain.env.items() if name not in outer}
    env["PULUMI_SKIP_CONFIRMATIONS"] = "true"
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    folder = getattr(chain, "folder", environment.ROOT)
    return subprocess.Popen(["sh", "-eu", "-c", block.local], env=env, cwd=folder, **pipes)


def run(chain, block):
    with shell(chain, block) as process:
        said, _ = process.communicate(timeout=280)
    assert process.returncode == 0, said
    return said


@pytest.mark.root
@pytest.mark.chain
@pytest.mark.parametrize("block", PLAIN, ids=named)
def test_a_block_runs_to_its_end(chain, block):
    assert run(chain, block)


@pytest.mark.root
@pytest.mark.chain
def test_a_newcomer_looks_around(chain):
    before, _, after = LOOK.text.partition("fab dashboard")
    assert "jada-agent" in run(chain, replace(LOOK, text=f"{before}{after[after.index(chr(10)) + 1 :]}"))
    # A port of its own: a demo's page may have the usual one.
    with reserved() as port, shell(chain, replace(LOOK, text=f"exec fab dashboard --port {port}")) as page:
        assert any(f"http://jada-local.localhost:{port}/" in line for line in page.stdout)
        # Not SIGINT: where the tests run in the background of a script, it is ignored.
        page.terminate()
        page.communicate(timeout=60)


@pytest.mark.root
@pytest.mark.chain
def test_a_newcomer_gives_it_a_task(chain):
    add, show = GIVE.text.splitlines()
    (chain.folder / "notes.txt").write_text("one\ntwo\n")
    (task_id,) = re.findall(r"\b[0-9A-Z]{26}\b", run(chain, replace(GIVE, text=add)))[:1]
    assert "Count the lines" in run(chain, replace(GIVE, text=show.replace("ID", task_id)))


@pytest.mark.root
@pytest.mark.chain
def test_a_rehearsal_asks_for_a_yes_before_it_makes_anything(chain):
    text = REHEARSE.text.replace("/var/lib/jada-local", str(chain.site.state))
    with shell(chain, replace(REHEARSE, text=text)) as asked:
        said, _ = asked.communicate(timeout=60)
    assert asked.returncode == 2, said
    assert "YES=yes" in said


@pytest.mark.root
@pytest.mark.chain
def test_a_box_that_the_state_forgot_is_adopted(chain):
    for kind in ("instance:Instance::jada-orchestrator", "staticIp:StaticIp::jada-orchestrator-ip"):
        urn = f"urn:pulumi:local::jada::aws:lightsail/{kind}"
        chain.run("pulumi", "state", "delete", "-s", "local", "--yes", "--target-dependents", urn)
    run(chain, ADOPT)
    chain.pulumi("up", "--yes", "--skip-preview", "--stack", "local", "--expect-no-changes")


@pytest.mark.root
@pytest.mark.chain
def test_the_sync_is_authenticated_anew_by_one_command(chain):
    secrets = "/home/jada/secrets/port_sheet_token.json"
    before = chain.host(f"cat {secrets}")
    with shell(chain, CONSENT) as flow:
        said = []
        for line in flow.stdout:
            said.append(line)
            if found := re.search(r"http://10\.\S+", line):
                consent(found[0])
    assert flow.returncode == 0, said
    kept = chain.host(f"cat {secrets}")
    assert kept != before
    (chain.site.state / "secrets" / "port_sheet_token.json").write_text(kept)
    assert "No alarm of the sync is open." in "".join(said)


def consent(url):
    """Allow, as an operator's browser does: it follows Google's redirect to a port of this machine."""
    page = urllib3.request("GET", url).data.decode()
    hidden = dict(re.findall(r'name="([^"]+)" value="([^"]*)"', page))
    form = {
        "body": urlencode({**hidden, "decision": "allow"}),
        "headers": {"Content-Type": "application/x-www-form-urlencoded"},
    }
    chosen = urllib3.request("POST", url, **form, redirect=False, timeout=30)
    target = chosen.headers["location"]
    assert target.startswith("http://127.0.0.1:")
    # Closed, as a browser does: ssh ends only when no forwarded connection is open.
    with urllib.request.urlopen(target, timeout=30) as thanks:
        assert thanks.status == 200
