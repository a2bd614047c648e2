"""The way out of a real sandbox: what programs inside can do with it, and what they can't."""

import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.root

PROGRAM = """
import json, math, os, sys, time
from pathlib import Path
from agent.sandbox.egress.proxy import Proxy, rules
from agent.sandbox.run import Sandbox
from agent.sandbox.waiting import Job
from agent.settings import Settings, ToolLimits
from wire.values import decode

folder, commands = Path(sys.argv[1]), json.loads(sys.argv[2])
asked = rules(decode(Settings, json.loads((folder / "settings.json").read_text())))
proxy = Proxy(asked, {"PATH": os.environ["PATH"], "CREDENTIALS_DIRECTORY": str(folder / "credentials")})
sandbox = Sandbox(folder / "workspace", ToolLimits(seconds=30), time.monotonic, lambda: math.inf, proxy=proxy)
sandbox.prepare()
for command in commands:
    outcome = sandbox.run(Job(["/bin/bash", "-c", command], network=not command.startswith("# offline")))
    sandbox.prepare()
    said = (outcome.head + outcome.tail).decode(errors="replace")
    print(json.dumps({"said": said, "code": outcome.code, "connections": outcome.connections}))
children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
memory = [Path(f"/proc/{pid}/status").read_text() for pid in children
          if b"agent.sandbox.egress" in Path(f"/proc/{pid}/cmdline").read_bytes()]
sandbox.close()
print(json.dumps([line.split()[1] for text in memory for line in text.splitlines() if line.startswith("VmHWM")]))
"""
"""In a process of its own, for a table of host names of its own: the proxy looks names up as the system does."""


@pytest.fixture
def run(tmp_path, served, vendor):
    for name in ("workspace", "credentials"):
        (tmp_path / name).mkdir()
    (tmp_path / "hosts").write_text("127.0.0.1 localhost api.example.com\n10.0.0.1 private.example.com\n")
    (tmp_path / "ca.pem").write_text(vendor.authority)
    (tmp_path / "credentials" / "egress_secrets").write_text("# of the team\nteam = canary-token-0123456789\n")
    place = f"api.example.com:{served.port}"
    egress = {
        "allow": [place, f"private.example.com:{served.port}"],
        "private": ["127.0.0.1/32"],
        "trust": str(tmp_path / "ca.pem"),
        "credentials": {"team": {"at": f"{place}/team", "secret": "team", "methods": ["GET", "POST"]}},
    }
    (tmp_path / "settings.json").write_text(json.dumps({"egress": egress}))

    def run(*commands):
        own_names = 'mount --bind "$0" /etc/hosts && exec "$@"'
        command = ["unshare", "--mount", "sh", "-c", own_names, str(tmp_path / "hosts"), sys.executable, "-c", PROGRAM]
        done = subprocess.run(
            [*command, str(tmp_path), json.dumps(commands)], capture_output=True, text=True, check=False
        )
        assert not done.returncode, done.stderr
        *told, memory = [json.loads(line) for line in done.stdout.splitlines()]
        run.memory_kb = [int(kb) for kb in memory]
        return told

    run.url = f"https://{place}"
    run.port = served.port
    return run


def test_programs_as_they_are_go_out_by_the_proxy(run, served):
    fetch = f"import urllib.request; print(urllib.request.urlopen('{run.url}/python').read())"
    for told in run(f"curl -sS {run.url}/curl", f'/usr/bin/python3 -c "{fetch}"'):
        assert (told["code"], "hello" in told["said"]) == (0, True), told
    assert [seen[1] for seen in served.seen] == ["/curl", "/python"]


def test_what_is_refused_is_told_with_the_entry_that_would_allow_it(run):
    (told,) = run("curl -sS https://evil.example/x")
    assert told["code"] == 56
    (refused,) = told["connections"][0]["refused"]
    assert refused == {"what": "evil.example:443", "why": "is not listed", "allow": "evil.example"}


def test_a_listed_name_that_leads_to_a_private_network_is_refused(run):
    (told,) = run(f"curl -sS -w '%{{http_code}}' https://private.example.com:{run.port}/")
    assert "403" in told["said"]
    assert "private on purpose" in told["connections"][0]["refused"][0]["why"]


@pytest.mark.parametrize(
    "command",
    ["curl -sS --noproxy '*' -m 5 {url}/x", "exec 5<>/dev/tcp/127.0.0.1/{port}", "exec 5<>/dev/tcp/10.0.0.1/{port}",
     "curl -sS -m 5 --proxy '' https://127.0.0.1:{port}/"],
)  # fmt: skip
def test_there_is_no_way_around_the_proxy(run, served, command):
    (told,) = run(command.format(url=run.url, port=run.port))
    assert told["code"] != 0
    assert not served.seen


def test_a_job_that_may_not_go_out_meets_no_proxy(run, served):
    (told,) = run(f"# offline\ncurl -sS -m 5 {run.url}/x")
    assert told["code"] == 7
    assert not served.seen


def test_the_credential_is_on_the_wire_and_nowhere_inside(run, served, tmp_path):
    look = (
        "env; cat /proc/*/environ /proc/*/cmdline /run/jada/* 2>/dev/null; "
        "grep -ras 'canary-[t]oken' /workspace /tmp /run /etc /dev/shm; true"
    )
    served.answer = lambda handler, _: (200, {}, handler.headers["Authorization"].encode())
    asked, looked = run(f"curl -sS {run.url}/team/x", look)
    assert served.seen[0][2]["authorization"] == "Bearer canary-token-0123456789"
    assert asked["said"] == "Bearer " + "*" * len("canary-token-0123456789")
    assert "HOME=/tmp" in looked["said"]
    assert "canary-token" not in looked["said"]
    assert b"canary" not in b"".join(p.read_bytes() for p in (tmp_path / "workspace").rglob("*") if p.is_file())


def test_a_process_that_goes_on_in_the_background_can_send_nothing_after_the_call(run, served):
    first, second = run(f"(sleep 1; curl -sS {run.url}/late) & true", "sleep 2")
    assert (first["code"], second["code"]) == (0, 0)
    assert not served.seen


def test_the_proxy_takes_no_more_memory_than_it_may(run):
    run(*[f"curl -sS {run.url}/{n}" for n in range(5)])
    (kb,) = run.memory_kb
    assert kb <= 36 * 1024, f"{kb} KB"


def test_without_its_secret_there_is_no_way_out_and_the_cure_is_named(run, tmp_path):
    (tmp_path / "credentials" / "egress_secrets").write_text("\n")
    with pytest.raises(AssertionError, match=r"no line `team = …`.*fab secrets"):
        run("true")
