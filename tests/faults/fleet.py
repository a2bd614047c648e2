"""Faults of a fleet: three hosts over one table, and again and again one of them, a worker, or the store is killed,
frozen or cut off, while all work. `python -m tests.faults.fleet --faults 500`, or `make faults`; needs root.

A host is a network namespace with the dashboard as a program in it, over AWS's own DynamoDB Local in the namespace in
the middle, and a worker: a process that does over the host's socket what the daemon does (claim, deliver, end, hold the
sync's lease), and notes what was acknowledged to it. Cut off means that the host's link is down. At the end `untrue`
compares what was noted with what the queue says; it is pure.
"""

import argparse
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import boto3

from dashboard.stores.dynamodb import layout
from local import cloud, dynamodb, network, tools
from local.process import Process, wait_until
from local.site import DYNAMODB, Site
from local.steps import Steps
from local.temporary import temporary_site
from wire.client import Client, RequestRefused, Unreachable
from wire.types import AskedBudget, Batch, ClaimRequest, Event, EventKind, Exit, NewTask, SessionEnd, State, TakeLease

ROOT = Path(__file__).parents[2]
TABLE = "jada-queue"
HOSTS = 3
LEASE_S, SYNC_S, REQUEST_S = 5, 5, 1
SESSIONS = 2
"""What a task's budget allows."""
KINDS = {"worker": 40, "frozen": 15, "cut off": 20, "dashboard": 12, "host": 8, "store": 5}
"""What is hit, and how often of a hundred times."""
CALM_S = (0.1, 1.0)
"""Between two faults."""
Said = dict[str, object]


@dataclass
class Host:
    """One host of the sweep."""

    site: Site
    number: int
    folder: Path
    cap: int
    dashboard: subprocess.Popen[bytes] | None = None
    worker: int | None = None
    thawed_at: float | None = None
    joined_at: float | None = None

    @property
    def name(self) -> str:
        return f"host-{self.number}"

    @property
    def socket(self) -> Path:
        return self.folder / "queue.sock"

    def client(self) -> Client:
        return Client(f"unix:{self.socket}", timeout_s=8, retries=0)

    def run_dashboard(self) -> None:
        settings = self.folder / "jada.toml"
        settings.write_text(
            f'[dashboard]\nsocket = "{self.socket}"\ntable = "{self.site.url(DYNAMODB)}/{TABLE}"\nlease_s = {LEASE_S}\n'
            f"watch_s = 1\n[dashboard.fleet]\nsessions_per_day = {self.cap}\nusd_per_day = 0\n"
        )
        (self.folder / "table_key").write_text("local:local\n")
        space = f"--net={network.NAMESPACES / network.namespace(self.site, self.number)}"
        program = [sys.executable, "-m", "dashboard", "--settings", str(settings), "--state", str(self.folder)]
        with (self.folder / "log").open("ab") as log:
            self.dashboard = subprocess.Popen(
                ["nsenter", space, "--", *program],
                cwd=ROOT, env={**os.environ, "CREDENTIALS_DIRECTORY": str(self.folder)}, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip

    def run_worker(self, seed: float) -> None:
        self.worker = os.fork()
        if not self.worker:
            try:
                log = os.open(self.folder / "said", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
                work(self, lambda **said: os.write(log, json.dumps(said).encode() + b"\n"), random.Random(seed))
            finally:
                os._exit(1)

    def kill_dashboard(self) -> None:
        if self.dashboard:
            # All of its group, as systemd does: a child that it forked at its start holds its folder too.
            with suppress(ProcessLookupError):
                os.killpg(self.dashboard.pid, signal.SIGKILL)
            self.dashboard.wait()

    def kill_worker(self) -> None:
        if self.worker:
            os.kill(self.worker, signal.SIGKILL)
            os.waitpid(self.worker, 0)
        self.worker = self.thawed_at = None

    def link(self, state: str) -> None:
        subprocess.run(["ip", "-n", self.site.edge, "link", "set", f"h{self.number}", state], check=True)
        if state == "up":  # the route of a link goes down with it
            network.ensure_host(self.site, self.number)

    def said(self) -> list[Said]:
        """What was acknowledged to its workers; a line that a kill cut short was not."""
        with suppress(FileNotFoundError):
            return [json.loads(line) for line in (self.folder / "said").read_bytes().split(b"\n")[:-1]]
        return []


def work(host: Host, say: Callable[..., object], chance: random.Random) -> None:
    """Work for ever, as a host's daemon and its sync."""
    client = host.client()
    while True:
        try:
            step(client, host.name, say, chance)
        except (Unreachable, RequestRefused):
            time.sleep(0.05)


def step(client: Client, name: str, say: Callable[..., object], chance: random.Random) -> None:
    """Add a task, work on one, or sync."""
    what = chance.choice(["add", "claim", "claim", "sync"])
    if what == "add":
        new = NewTask(title="Count the boats", budget=AskedBudget(sessions=SESSIONS))
        say(added=client.add_task(new, key=f"{chance.random()}").id)
    elif what == "sync":
        sync(client, name, say, chance)
    else:
        session(client, name, say, chance)


def session(client: Client, name: str, say: Callable[..., object], chance: random.Random) -> None:
    """Claim a task, go on with its session, and end that."""
    key = f"{name}-{chance.random()}"
    held = client.claim(ClaimRequest(host=name), key=key)
    if held is None:
        return
    fence, run = held.lease.fence, held.session.id
    say(claimed=held.task.id, fence=fence, session=run, key=key)
    there = len(client.events(run))
    for n in range(there + 1, there + 1 + chance.randrange(1, 4)):
        word = f"{chance.random()}"
        event = Event(n=n, at="2026-05-13T12:00:00Z", kind=EventKind.MESSAGE, data={"word": word})
        # Without an answer it goes no further: whoever claims next looks what is there.
        client.deliver(run, Batch(fence=fence, events=(event,)))
        say(session=run, n=n, word=word)
        time.sleep(chance.uniform(0, 0.05))
    code = chance.choice([Exit.FINISHED, Exit.FINISHED, Exit.TURN_LIMIT, Exit.DRAINED])
    result = f"{chance.random()}" if code is Exit.FINISHED else None
    ended = client.end(run, SessionEnd(fence=fence, exit=code, result=result, checkpoint="so far"))
    say(ended=ended.id, fence=fence, result=result, state=ended.state.value)


def sync(client: Client, name: str, say: Callable[..., object], chance: random.Random) -> None:
    """Hold the sync's lease for some requests; each is noted with its beginning and its latest end."""
    until = time.monotonic() + SYNC_S
    lease = client.take_lease(TakeLease(holder=name, ttl_s=SYNC_S, request_s=REQUEST_S))
    if not lease.held:
        return
    for _ in range(chance.randrange(1, 6)):
        lasts, now = chance.uniform(0.05, REQUEST_S), time.monotonic()
        if now > until:
            return
        say(sync=name, fence=lease.fence, begins=now, ends=now + lasts)
        time.sleep(lasts / 4)
        beat = time.monotonic()
        client.renew_lease(lease.fence)
        until = beat + SYNC_S
    if chance.random() < 0.5:
        time.sleep(REQUEST_S)
        client.release_lease(lease.fence)


@dataclass
class Seen:
    """What the queue says at the end: state and result by task, sessions by task, words by session and number."""

    tasks: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    sessions: dict[str, int] = field(default_factory=dict)
    words: dict[tuple[str, int], str] = field(default_factory=dict)


def untrue(said: list[Said], seen: Seen, cap: int) -> list[str]:
    """Return what was acknowledged and is not so, and what two did of which one may."""
    found = [f"task {each['added']} is lost" for each in said if "added" in each and each["added"] not in seen.tasks]
    holders: dict[tuple[object, object], object] = {}
    for each in said:
        if "claimed" in each and holders.setdefault((each["claimed"], each["fence"]), each["key"]) != each["key"]:
            found.append(f"task {each['claimed']} was claimed twice under fence {each['fence']}")
        if "word" in each and seen.words.get((str(each["session"]), int(str(each["n"])))) != each["word"]:
            found.append(f"record {each['n']} of session {each['session']} is lost")
        if each.get("state") == State.DONE and seen.tasks.get(str(each["ended"])) != (State.DONE, each["result"]):
            found.append(f"the result of task {each['ended']} was overwritten")
    found += [f"task {task} had {count} sessions" for task, count in seen.sessions.items() if count > SESSIONS]
    if (count := sum(seen.sessions.values())) > cap:
        found.append(f"{count} sessions began on a day of at most {cap}")
    return found + _at_once([each for each in said if "sync" in each])


def _at_once(requests: list[Said]) -> list[str]:
    found, latest = [], None
    for each in sorted(requests, key=lambda each: float(str(each["begins"]))):
        if latest and each["sync"] != latest["sync"] and float(str(each["begins"])) < float(str(latest["ends"])):
            found.append(f"{latest['sync']} and {each['sync']} wrote the sheet at once")
        if latest is None or float(str(each["ends"])) > float(str(latest["ends"])):
            latest = each
    return found


def observe(client: Client, said: list[Said]) -> Seen:
    """Ask the queue for all that was noted."""
    seen = Seen()
    for task in client.tasks():
        runs = client.sessions(task.id)
        seen.tasks[task.id] = (task.state.value, task.result)
        seen.sessions[task.id] = len(runs)
        for run in runs:
            seen.words |= {(run.id, e.n): str(e.data["word"]) for e in client.events(run.id) if "word" in e.data}
    return seen


@contextmanager
def fleet(cap: int, hosts: int = HOSTS) -> Iterator[tuple[Site, Path, list[Host]]]:
    """Bring up a table and the hosts over it; all goes at the end."""
    with temporary_site() as site, ExitStack() as ends:
        library = tools.dynamodb(Steps(site.state / "logs"))
        network.ensure(site)
        cloud.start_database(site, library)
        client = boto3.client(
            "dynamodb", endpoint_url=site.url(DYNAMODB), region_name="us-east-1",
            aws_access_key_id="local", aws_secret_access_key="local",
        )  # fmt: skip
        client.create_table(**layout.definition(TABLE))
        made = [Host(site, number, site.state / f"h{number}", cap) for number in range(1, hosts + 1)]
        for host in made:
            host.folder.mkdir()
            network.ensure_host(site, host.number)
            host.run_dashboard()
            ends.callback(host.kill_dashboard)
            ends.callback(host.kill_worker)
        for host in made:
            require_up(host)
        yield site, library, made


def require_up(host: Host) -> None:
    """Wait until a host's dashboard is ready."""

    def ready() -> bool:
        with suppress(Unreachable, RequestRefused):
            return host.client().ready().status == "ready"
        return False

    if not wait_until(ready, 90, 0.1):
        raise AssertionError((host.folder / "log").read_text()[-2000:])


def require_at_work(host: Host) -> None:
    """Wait until a host's worker, after all faults, was acknowledged something more."""
    before = len(host.said())
    if not wait_until(lambda: len(host.said()) > before, 90, 0.1):
        raise AssertionError(f"{host.name} does nothing any more")


def hit(kind: str, host: Host, library: Path, chance: random.Random) -> None:
    """Do one fault; what is dead is started again at once, what is frozen or cut off stays so for a while."""
    now = time.monotonic()
    if kind in ("worker", "host"):
        host.kill_worker()
    if kind in ("dashboard", "host"):
        host.kill_dashboard()
        host.run_dashboard()
    if kind == "frozen" and host.worker and host.thawed_at is None:
        os.kill(host.worker, signal.SIGSTOP)
        host.thawed_at = now + _spell(chance)
    if kind == "cut off" and host.joined_at is None:
        host.link("down")
        host.joined_at = now + _spell(chance)
    if kind == "store":
        if server := Process.recorded(host.site.state / "dynamodb.pid"):
            with suppress(ProcessLookupError):
                os.kill(server.pid, signal.SIGKILL)
            wait_until(lambda: not dynamodb.answers(host.site.cloud_address, DYNAMODB), 30)
        cloud.start_database(host.site, library)


def _spell(chance: random.Random) -> float:
    """Return seconds: mostly a moment, one time in four long enough that others take over."""
    return chance.uniform(LEASE_S, LEASE_S + REQUEST_S + 3) if chance.random() < 0.25 else chance.uniform(0.2, 2)


def mend(host: Host, seed: float, *, all_of_it: bool = False) -> None:
    """End what is over by now of a host's faults."""
    now = time.monotonic()
    if host.thawed_at is not None and (all_of_it or now > host.thawed_at) and host.worker:
        os.kill(host.worker, signal.SIGCONT)
        host.thawed_at = None
    if host.joined_at is not None and (all_of_it or now > host.joined_at):
        host.link("up")
        host.joined_at = None
    if host.worker is None:
        host.run_worker(seed)
    if host.dashboard and host.dashboard.poll() is not None:
        # As systemd does: the one before may hold its folder for a moment beyond its end.
        host.run_dashboard()


def cap_of(faults: int) -> int:
    """Return a cap of the day's sessions for all hosts that a long sweep comes to."""
    return 2 * faults


def sweep(
    faults: int, seed: int, told: Callable[[int], None] = lambda _: None
) -> tuple[Counter[str], list[Said], Seen]:
    """Do so many faults; return how many of each kind, what was acknowledged, and what the queue says."""
    chance, done = random.Random(seed), Counter[str]()
    with fleet(cap_of(faults)) as (_, library, hosts):
        for number in range(faults):
            for host in hosts:
                mend(host, chance.random())
            time.sleep(chance.uniform(*CALM_S))
            kind = chance.choices([*KINDS], [*KINDS.values()])[0]
            hit(kind, chance.choice(hosts), library, chance)
            done[kind] += 1
            told(number + 1)
        for host in hosts:
            mend(host, chance.random(), all_of_it=True)
            require_up(host)
            require_at_work(host)
        for host in hosts:
            host.kill_worker()
        said = [each for host in hosts for each in host.said()]
        return done, said, observe(hosts[0].client(), said)


def main() -> int:
    """Do so many faults; return 1 when anything was untrue."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.fleet", description="Faults of three hosts.")
    parser.add_argument("--faults", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    began = time.monotonic()
    done, said, seen = sweep(args.faults, args.seed, _progress(args.faults))
    cap, begun = cap_of(args.faults), sum(seen.sessions.values())
    found = untrue(said, seen, cap)
    kinds = ", ".join(f"{count} {kind}" for kind, count in done.most_common())
    kept = ("added", "claimed", "word", "ended", "sync")
    acts = Counter(next(each for each in kept if each in one) for one in said)
    sys.stdout.write(
        f"\r{args.faults} faults ({kinds}) in {time.monotonic() - began:.0f} s\n"
        f"  acknowledged: {acts['added']} tasks, {acts['claimed']} claims, {acts['word']} records, "
        f"{acts['ended']} ends, {acts['sync']} requests of the sync; {begun} sessions of at most {cap}\n"
        "  0 violations: no double claim, nothing acknowledged lost, no result overwritten, no session over its cap,"
        " never two syncs at once\n"
        if not found
        else f"\r{args.faults} faults ({kinds}): {len(found)} VIOLATIONS\n"
    )
    for each in found[:20]:
        sys.stdout.write(f"  {each}\n")
    return 1 if found else 0


def _progress(faults: int) -> Callable[[int], None]:
    def told(done: int) -> None:
        if sys.stdout.isatty() or done % 50 == 0:
            end = "" if sys.stdout.isatty() else "\n"
            sys.stdout.write(f"\r{done} of {faults} faults {end}")
            sys.stdout.flush()

    return told


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main())
