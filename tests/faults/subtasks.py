"""A sweep of kills: a task makes two subtasks with files and waits for them, by the programs as they run on a host,
while dashboard and daemon are killed at its steps. `python -m tests.faults.subtasks --runs 20`, or `make faults`.

With `--table` their queue is a table in AWS's DynamoDB Local. Each run is the same work with other kills. At its end
the parent must have been told once, with both results word for word and both files in its workspace, and each subtask
have run once.
"""

import argparse
import contextlib
import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from doubles.claude.messages import create
from doubles.claude.script import load
from local.serve import running
from tests import dynamo
from wire.client import Client, RequestRefused, Unreachable
from wire.types import EventKind, File, NewTask, Reply, State

SCRIPT = """
[[conversation]]
match = "Count both lists"
[[conversation.answer]]
text = "Two subtasks."
[[conversation.answer.calls]]
name = "create_task"
input = { title = "Count beds", description = "Count them.", files = ["beds.txt"] }
[[conversation.answer.calls]]
name = "create_task"
input = { title = "Count rooms", description = "Count them.", files = ["rooms.txt"] }
[[conversation.answer.calls]]
name = "wait_for_tasks"
[[conversation.answer]]
calls = [{ name = "ask_person", input = { question = "Is that right?" } }]
[[conversation.answer]]
calls = [{ name = "finish", input = { outcome = "done", result = "both counted" } }]

[[conversation]]
match = "Count beds"
[[conversation.answer]]
calls = [{ name = "finish", input = { outcome = "done", result = "beds:\\n  7", files = ["beds.txt"] } }]

[[conversation]]
match = "Count rooms"
[[conversation.answer]]
calls = [{ name = "finish", input = { outcome = "done", result = "rooms:\\n  3", files = ["rooms.txt"] } }]
"""
FILES = {"beds.txt": b"beds\n", "rooms.txt": b"rooms\n"}
LONGEST_S = 180
"""Of one run; a minute is for a wake that a kill took, which the watch makes up for."""
LOOK_S = 0.03


class Host:
    """Dashboard and daemon as programs, over one folder; `chance` decides what is killed at a step. The queue is in a
    file, or in a `table`, as the setting names it.
    """

    def __init__(self, folder: Path, claude: str, chance: random.Random | None, table: str = "") -> None:
        self._chance = chance
        self._seen: set[object] = set()
        self._programs: dict[str, subprocess.Popen[bytes]] = {}
        self.state, socket = folder / "agent", folder / "queue.sock"
        (folder / "dashboard").mkdir()
        (folder / "anthropic_api_key").write_text("sk-test\n")
        (folder / "table_key").write_text("local:local\n")
        settings = folder / "jada.toml"
        settings.write_text(
            f'[dashboard]\nsocket = "{socket}"\nlease_s = 15\ntable = "{table}"\n'
            f'[agent]\ndashboard_url = "unix:{socket}"\nclaude_url = "{claude}"\npoll_seconds = 1\n'
        )
        self._settings, self._folder = settings, folder
        self.client = Client(f"unix:{socket}", retries=6)
        self.kills: list[str] = []
        for name in ("dashboard", "agent"):
            self.start(name)

    def start(self, name: str) -> None:
        """Start a program, or start it again."""
        command = [sys.executable, "-m", name, "--settings", str(self._settings)]
        command += ["--state", str(self._folder / name)]
        environment = {"PATH": os.environ["PATH"], "CREDENTIALS_DIRECTORY": str(self._folder)}
        with (self._folder / f"{name}.log").open("ab") as log:
            self._programs[name] = subprocess.Popen(command, env=environment, stdout=log, stderr=log)

    def end(self) -> None:
        """End both."""
        for program in self._programs.values():
            program.kill()
            program.wait()

    def step(self, *seen: object) -> None:
        """Note what is seen of the work; at a step that is new, kill one program, both or none, and start it again."""
        if seen in self._seen or self._chance is None:
            return
        self._seen.add(seen)
        time.sleep(self._chance.choice([0, 0, 0.05, 0.3]))
        killed = self._chance.choice([(), ("dashboard",), ("agent",), ("dashboard", "agent")])
        for name in killed:
            self._programs[name].kill()
            self._programs[name].wait()
            self.kills.append(f"{name} at {seen}")
        for name in killed:
            self.start(name)


def work(host: Host) -> list[str]:
    """Let the work be done; return what is wrong with how it ended."""
    parent = asked(lambda: host.client.add_task(
        NewTask(title="Count both lists", context=tuple(File(name=n, content=c) for n, c in FILES.items())), key="k"
    ))  # fmt: skip
    ends = time.monotonic() + LONGEST_S
    while time.monotonic() < ends:
        tasks = asked(lambda: [*host.client.tasks()])
        standing = {task.title: task for task in tasks}
        if (task := standing.get("Count both lists")) is None:
            continue  # on its way from one state's list of a table to another's
        # What is waited for as well, so that the time between a child's end and its parent's wake is a step.
        host.step(*((t.title, t.state.value, len(t.waits_for)) for t in sorted(tasks, key=lambda t: t.title)))
        if task.state is State.NEEDS_YOU:
            found = wrong(host, parent.id)
            asked(lambda task=task: answered(host, task))
            if found:
                return found
        elif task.state in (State.DONE, State.FAILED):
            return [] if task.result == "both counted" else [f"the parent is {task.state}: {task.reason}"]
        time.sleep(LOOK_S)
    return [f"it stands still: { {t.title: (t.state.value, t.waits_for, t.reason) for t in tasks} }"]


def answered(host, task):
    """Answer the parent, unless that was done: the answer to it may be lost."""
    with contextlib.suppress(RequestRefused):
        host.client.reply(task.id, Reply(text="Yes."), version=task.version)


def wrong(host: Host, parent: str) -> list[str]:
    """Compare what the parent was told, and what lies in its workspace, with what its subtasks handed over."""
    sessions = asked(lambda: host.client.sessions(parent))
    events = asked(lambda: host.client.events(sessions[0].id))
    told = [
        e.data["content"] for e in events if e.kind is EventKind.TOOL_RESULT and "They are over" in e.data["content"]
    ]
    children = [t for t in asked(lambda: [*host.client.tasks()]) if t.parent == parent]
    found = [] if len(sessions) == 1 and len(told) == 1 else [f"{len(sessions)} sessions, told {len(told)} times"]
    found += [f"{len(children)} subtasks"] if len(children) != 2 else []
    for child in children:
        if child.sessions_used != 1 or child.state is not State.DONE:
            found.append(f"{child.title} is {child.state} after {child.sessions_used} sessions")
        if not told or f"{child.title}: done.\nIts result:\n{child.result}" not in told[0]:
            found.append(f"the result of {child.title} was not told")
        for info in child.files:
            path = host.state / "workspaces" / parent / f"{child.id}-{info.name}"
            if not path.exists() or path.read_bytes() != FILES[info.name]:
                found.append(f"{path.name} is not in the workspace")
    return found


def asked(call):
    """Ask a dashboard that may be about to start again."""
    for _ in range(200):
        try:
            return call()
        except Unreachable:
            time.sleep(0.1)
    raise TimeoutError("the dashboard does not come back")


def run(seed: int | None, table: str = "") -> tuple[list[str], list[str]]:
    """Do the work once, undisturbed without a seed; return what is wrong, and what was killed."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "script.toml").write_text(SCRIPT)
        with running(create(folder / "claude.json", script=load(folder / "script.toml"))) as url:
            host = Host(folder, url, None if seed is None else random.Random(seed), table)
            try:
                found = work(host)
                if found:
                    found += [(folder / f"{each}.log").read_text()[-3000:] for each in ("dashboard", "agent")]
            finally:
                host.end()
    return found, host.kills


def new_table() -> str:
    """Make an empty table, and return it as the setting names it."""
    return f"{dynamo.address()}/{dynamo.new_table(dynamo.client(dynamo.address()))}"


def main() -> int:
    """Do so many runs; return 1 when anything was wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.subtasks", description="Kills beside subtasks.")
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--table", action="store_true", help="over a table in DynamoDB Local")
    args = parser.parse_args()
    began, bad, killed = time.monotonic(), 0, 0
    for seed in range(args.seed, args.seed + args.runs):
        found, kills = run(seed, new_table() if args.table else "")
        killed += len(kills)
        bad += bool(found)
        if found:
            sys.stdout.write(f"seed {seed}: {json.dumps(found, indent=1)}\n  killed: {kills}\n")
        sys.stderr.write(f"{seed - args.seed + 1} of {args.runs} runs, {killed} kills, {bad} wrong\n")
    took = time.monotonic() - began
    sys.stdout.write(f"{args.runs} runs of a family, {killed} kills, {bad} wrong ({took:.0f} s)\n")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
