"""Faults of three whole hosts over one table, on the local cloud, while they work, sync and take over from each other.

A host is what `pulumi up` and `fab deploy` make of one: a container with systemd, our units, a worker whose sessions
run in sandboxes. Hit are a host (its power), its network (cut off whole, or from the table), its worker and its
dashboard (killed or frozen), a session, a sync, and the store of all: DynamoDB Local, on files. Several faults are
under way at once.

What is true at the end is compared with what was acknowledged meanwhile: to the driver, which adds tasks and answers
questions over any host; to the hosts, in whose files it is read from outside; and with the calls that the sheet's
double noted. The comparison is `tests/faults/witness.py`, and pure.
"""

import argparse
import contextlib
import heapq
import itertools
import json
import math
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
import tomllib
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import urllib3

from local import cloud, dynamodb, loss, network, tools
from local.cgroups import group
from local.hosts import container
from local.process import Process, wait_until
from local.site import BOOKINGS, DYNAMODB, Site
from local.steps import Steps
from tests.e2e.chain.conftest import Chain, demo
from tests.faults.witness import Called, Noted, Result, Seen, look, observe, untrue
from wire.client import Client, RequestRefused, Unreachable
from wire.types import AskedBudget, HostDayUse, NewTask, Reply, State, SyncOutcome, SyncRun

LEASE_S = 10
"""Of a task: a lost host's goes on elsewhere after this long."""
TURNS = 4
"""Of a session, so that some tasks are handed over."""
OF_A_TASK = 3
"""Sessions that a task's budget allows."""
USD_OF_A_TASK = 1
"""Dollars that it allows: a claim takes all that are left of them of the day's."""
BACKLOG = 9
"""Tasks that wait or are under way: three for each host."""
KINDS = {
    "session": 24, "worker": 16, "dashboard": 12, "frozen": 8, "cut off": 12, "cut off from the table": 8,
    "host": 8, "store": 4, "sync": 6,
}  # fmt: skip
"""What is hit, and how often of a hundred times."""
CALM_S = (0.5, 4.5)
"""Between the beginnings of two faults, at least; the next one waits until something more was acknowledged."""
STANDSTILL_S = 15
"""But no longer than this: where everything is down, nothing is."""
UNITS = {"worker": "jada-agent.service", "dashboard": "jada-dashboard.service"}
SYNC = "port-sheet-sync.service"
ANSWERS_S = 240
"""How long a host that was mended may take until it answers, or does something: a bound for a hang."""
SYNC_ENDS_S = 900
"""The same for the sync, whose lease may be another host's for five minutes."""
SPARE = {"calls": [{"name": "finish", "input": {"outcome": "done", "result": "done, at another try"}}]}
"""An answer that is asked for where a call's result was lost with its host, or was told in other words."""
SCRIPT = """
[[conversation]]
match = "left this checkpoint"
[[conversation.answer]]
calls = [{ name = "bash", input = { command = "cat boats.txt; sleep 0.3" } }]
[[conversation.answer]]
calls = [{ name = "finish", input = { outcome = "done", result = "counted, in a second session" } }]

[[conversation]]
match = "Ask about the boats"
[[conversation.answer]]
calls = [{ name = "ask_person", input = { question = "Which boats?" } }]
[[conversation.answer]]
calls = [{ name = "finish", input = { outcome = "done", result = "asked" } }]

[[conversation]]
match = "Count many boats"
[[conversation.answer]]
calls = [{ name = "bash", input = { command = "echo 1 >>boats.txt; sleep 0.5" } }]
[[conversation.answer]]
calls = [{ name = "bash", input = { command = "echo 2 >>boats.txt; sleep 0.5" } }]
[[conversation.answer]]
calls = [{ name = "bash", input = { command = "echo 3 >>boats.txt; sleep 0.5" } }]
[[conversation.answer]]
text = "Asked: count boats.\\nDone: three.\\nFound: none.\\nDecided: none.\\nNext: finish.\\nFiles: boats.txt"

[[conversation]]
match = "Count the boats"
[[conversation.answer]]
calls = [{ name = "bash", input = { command = "echo 1 >>boats.txt; sleep 1" } }]
[[conversation.answer]]
calls = [{ name = "finish", input = { outcome = "done", result = "counted", files = ["boats.txt"] } }]
"""
TITLES = ("Count the boats", "Count the boats", "Count many boats", "Ask about the boats")
CUT = """
table inet fault {
  chain in { type filter hook input priority -200; IN; }
  chain out { type filter hook output priority -200; OUT; }
}
"""


@dataclass
class Host:
    """One host, as the machine below it sees it: `number` is the machine's, `name` Pulumi's, made in any order."""

    site: Site
    number: int
    name: str
    is_down: bool = False
    is_cut: bool = False
    is_frozen: bool = False

    @property
    def pids(self) -> list[int]:
        """All its processes."""
        return group(self.site.name, self.number).processes()

    @property
    def root(self) -> Path | None:
        """Its file system, while it runs."""
        first = container.first_process(group(self.site.name, self.number))
        return Path(f"/proc/{first}/root") if first else None

    def client(self) -> Client:
        """A client of its queue's socket, as root there. Raises `Unreachable` where it is down."""
        return Client(f"unix:{self.root or '/nowhere'}/run/jada-dashboard/queue.sock", timeout_s=4, retries=0)

    def systemctl(self, *words: str) -> bool:
        """Give its systemd an order; False where it is not there to take it."""
        first = container.first_process(group(self.site.name, self.number))
        if first is None:
            return False
        enter = ["nsenter", f"--target={first}", "--mount", "--root", "--pid", "--ipc", "--uts"]
        with suppress(subprocess.TimeoutExpired):
            done = subprocess.run([*enter, "systemctl", *words], capture_output=True, timeout=30, check=False)
            return done.returncode == 0
        return False

    def signal(self, unit: str, name: str) -> bool:
        """Send a signal to all of a unit that runs."""
        return self.systemctl("is-active", "--quiet", unit) and self.systemctl(
            "kill", "--kill-whom=all", f"--signal={name}", unit
        )

    def kill_one(self, module: str, chance: random.Random) -> bool:
        """Kill one process that runs a module of ours there; False where there is none."""
        found = [pid for pid in self.pids if f"-m\0{module}\0".encode() in _command(pid)]
        if not found:
            return False
        with suppress(ProcessLookupError):
            os.kill(chance.choice(found), signal.SIGKILL)
            return True
        return False

    def cut_off(self, *, from_all: bool) -> None:
        """Drop what it sends and gets, in its own namespace: all, or what goes to the table and comes back."""
        away = f"ip daddr {self.site.cloud_address} tcp dport {DYNAMODB} drop"
        back = f"ip saddr {self.site.cloud_address} tcp sport {DYNAMODB} drop"
        rules = ('iifname != "lo" drop', 'oifname != "lo" drop') if from_all else (back, away)
        self._nft(CUT.replace("IN;", f"{rules[0]};").replace("OUT;", f"{rules[1]};"))

    def join(self) -> None:
        """Take that back."""
        self._nft("delete table inet fault\n")

    def _nft(self, rules: str) -> None:
        space = f"--net={network.NAMESPACES / network.namespace(self.site, self.number)}"
        subprocess.run(["nsenter", space, "nft", "--file", "-"], input=rules, text=True, check=True)


def _command(pid: int) -> bytes:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


class Rounds(threading.Thread):
    """Does a step again and again, until `end`; what broke it is its `error`."""

    def __init__(self, name: str, step: Callable[[], None]) -> None:
        super().__init__(name=name, daemon=True)
        self._step, self._ended, self.error = step, threading.Event(), ""

    def run(self) -> None:
        """Do the steps."""
        try:
            while not self._ended.wait(0.1):
                self._step()
        except BaseException as error:  # whoever waits for this thread must hear of it
            self.error = f"{self.name} broke: {error!r}"
            raise

    def end(self) -> None:
        """End it after its step."""
        self._ended.set()
        self.join()


class Driver:
    """Three at once: one adds tasks and answers what they ask, one looks what the hosts were acknowledged, one changes
    bookings and starts syncs. Each notes what no other does. `quota` is how many tasks may have been added by now.
    """

    def __init__(self, fleet: "Fleet", seed: float) -> None:
        self._fleet, self._chance, self._syncs = fleet, random.Random(seed), random.Random(seed + 1)
        self.noted, self.quota = Noted(), 0
        self.open: dict[str, str] = {}
        """Ids of tasks that are not over, with their state when they were last seen."""
        self._known: dict[str, int] = {}
        self._keys = uuid.uuid4()
        self._serial, self._pending = itertools.count(), list[tuple[NewTask, str]]()
        self._next_sync = time.monotonic()
        self._budget = AskedBudget(sessions=OF_A_TASK, usd_micros=USD_OF_A_TASK * 1_000_000)
        steps = {"the driver": self.drive, "the look at the hosts": self.look, "the sync's": self.change_and_sync}
        self._threads = [Rounds(name, step) for name, step in steps.items()]

    def start(self) -> None:
        """Begin."""
        for each in self._threads:
            each.start()

    def require(self) -> None:
        """Raise `AssertionError` where one of them broke."""
        for each in self._threads:
            if each.error:
                raise AssertionError(each.error)

    def end(self) -> None:
        """End them all, and look once more."""
        for each in self._threads:
            each.end()
        self.require()
        self.look()

    def drive(self) -> None:
        """Add what may be added, and see how each task stands that is not over."""
        self.add()
        for task in list(self.open):
            self.follow(task)

    def look(self) -> None:
        """Note what hosts' files say that the queue acknowledged."""
        for host in self._fleet.hosts:
            if root := host.root:
                look(host.name, root / "var/lib/jada-agent/sessions", self.noted, self._known)

    def add(self) -> None:
        """Add a task, or try again what was not acknowledged, over any host; some are asked for twice."""
        if not self._pending and len(self.open) < BACKLOG and len(self.noted.added) < self.quota:
            number = next(self._serial)
            new = NewTask(title=f"{self._chance.choice(TITLES)} {number}", budget=self._budget)
            self._pending.append((new, f"{self._keys} {number}"))
        for new, key in list(self._pending):
            for _ in range(self._chance.choice([1, 1, 2])):
                with suppress(Unreachable, RequestRefused):
                    task = self._any().add_task(new, key=key)
                    self.noted.added[key].add(task.id)
                    self.open.setdefault(task.id, task.state.value)
                    with suppress(ValueError):
                        self._pending.remove((new, key))

    def follow(self, task_id: str) -> None:
        """See how a task stands; answer what it asks, and note how it was done."""
        with suppress(Unreachable, RequestRefused):
            client = self._any()
            task = client.task(task_id)
            self.open[task_id] = task.state.value
            if task.state is State.DONE:
                files = tuple(file.name for file in task.files)
                self.noted.done[task_id] = Result(task.fence, task.version, task.result, files)
            if task.state is State.NEEDS_YOU and task.waiting and task.waiting.tool_use_id:
                word = f"the word {self._chance.random()}"
                client.reply(task_id, Reply(text=word), version=task.version)
                self.noted.replies[task_id] = word
            elif task.state in (State.DONE, State.FAILED, State.CANCELLED, State.NEEDS_YOU):
                del self.open[task_id]

    def change_and_sync(self) -> None:
        """Now and then change a booking, and start the sync on one host, or on all at once, as cron does."""
        if time.monotonic() < self._next_sync:
            return
        self._next_sync = time.monotonic() + self._syncs.uniform(1, 12)
        self._fleet.change_booking(self._syncs)
        for host in self._syncs.sample(self._fleet.hosts, self._syncs.choice([1, 2, 3])):
            host.systemctl("start", "--no-block", SYNC)

    def _any(self) -> Client:
        return self._chance.choice(self._fleet.hosts).client()


@dataclass
class Fleet:
    """Three hosts, and what goes wrong with them."""

    chain: Chain
    library: Path
    hosts: list[Host]
    ids: list[str]
    calls: Path
    done: Counter[str] = field(default_factory=Counter)
    _due: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _serial: Iterator[int] = field(default_factory=itertools.count)

    def hit(self, kind: str, host: Host, chance: random.Random) -> bool:
        """Begin a fault; False where it finds nothing to hit. What is dead is started again, what is cut off joined."""
        if host.is_down:
            return False
        by_kind: dict[str, Callable[[], bool]] = {
            "session": lambda: host.kill_one("agent.session", chance),
            "frozen": lambda: self._freeze(host, chance),
            "cut off": lambda: self._cut_off(host, chance, from_all=True),
            "cut off from the table": lambda: self._cut_off(host, chance, from_all=False),
            "host": lambda: self._cut_power(host, chance),
            "sync": lambda: self._kill_sync(host, chance),
            "store": self._kill_store,
        }
        return host.signal(UNITS[kind], "KILL") if kind in UNITS else by_kind[kind]()

    def mend(self, *, all_of_it: bool = False) -> None:
        """End what is over by now, or all."""
        while self._due and (all_of_it or self._due[0][0] <= time.monotonic()):
            heapq.heappop(self._due)[2]()

    def change_booking(self, chance: random.Random) -> None:
        """Give a booking another rate."""
        address = f"{self.chain.site.url(BOOKINGS)}/_local/bookings/{chance.choice(self.ids)}"
        urllib3.request("PATCH", address, json={"rate": f"{chance.randrange(5000, 50000) / 100:.2f}"}, timeout=30)

    def _later(self, seconds: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._due, (time.monotonic() + seconds, next(self._serial), act))

    def _freeze(self, host: Host, chance: random.Random) -> bool:
        unit = UNITS[chance.choice(["worker", "worker", "dashboard"])]
        if host.is_frozen or not host.signal(unit, "STOP"):
            return False

        def thaw() -> None:
            host.is_frozen = False
            host.signal(unit, "CONT")

        host.is_frozen = True
        self._later(spell(chance), thaw)
        return True

    def _cut_off(self, host: Host, chance: random.Random, *, from_all: bool) -> bool:
        if host.is_cut:
            return False

        def join() -> None:
            host.is_cut = False
            host.join()

        host.is_cut = True
        host.cut_off(from_all=from_all)
        self._later(spell(chance), join)
        return True

    def _cut_power(self, host: Host, chance: random.Random) -> bool:
        if host.root is None or not loss.runs(host.site, host.name):
            return False

        def start() -> None:
            loss.order_start(host.site, host.name)
            host.is_down = False

        host.is_down = True
        loss.cut_power(host.site, host.name)
        self._later(spell(chance), start)
        return True

    def _kill_sync(self, host: Host, chance: random.Random) -> bool:
        """Start a sync and kill it somewhere in its run; only a kill counts."""
        self.change_booking(chance)
        if not host.systemctl("start", "--no-block", SYNC):
            return False

        def kill() -> None:
            self.done["sync"] += host.kill_one("sync", chance)

        self._later(chance.uniform(0.3, 5), kill)
        return False

    def _kill_store(self) -> bool:
        site = self.chain.site
        if server := Process.recorded(site.state / "dynamodb.pid"):
            with suppress(ProcessLookupError):
                os.kill(server.pid, signal.SIGKILL)
            wait_until(lambda: not dynamodb.answers(site.cloud_address, DYNAMODB), 30)
        cloud.start_database(site, self.library)
        return True


def spell(chance: random.Random) -> float:
    """Return seconds: mostly a moment, one time in four long enough that others take over."""
    return chance.uniform(LEASE_S, LEASE_S + 10) if chance.random() < 0.25 else chance.uniform(0.3, 4)


@contextlib.contextmanager
def fleet(caps: HostDayUse) -> Iterator[Fleet]:
    """Bring up three hosts by the demo, and give them the sweep's settings and doubles; all goes at the end."""
    with demo("--hosts", "3", limit_s=1500) as chain:
        made = prepared(chain, caps)
        try:
            yield made
        finally:
            for host in made.hosts:
                if host.is_cut:
                    host.join()


def prepared(chain: Chain, caps: HostDayUse) -> Fleet:
    """Give a demo's hosts the settings of the sweep, and their cloud its doubles."""
    site, calls = chain.site, chain.site.state / "calls"
    script = site.state / "sweep.json"
    script.write_text(played(), encoding="utf-8")
    for name in ("claude", "google"):
        if double := Process.recorded(site.state / f"{name}.pid"):
            double.end()
    programs = {"claude": ["doubles.claude", "--script", str(script)]}
    cloud.start(site, programs | {"google": ["tests.faults.sheets", "--noted", str(calls)]})
    settings = chain.folder / "jada.local.toml"
    settings.write_text(swept(settings.read_text(encoding="utf-8"), caps), encoding="utf-8")
    chain.fab("deploy")
    token = json.loads(_asked(f"{site.url(BOOKINGS)}/_local/token"))["token"]
    lines = _asked(f"{site.url(BOOKINGS)}/v1/bookings.csv", token).decode().splitlines()[1:]
    library = tools.dynamodb(Steps(site.state / "logs"))
    said = json.loads(chain.run("pulumi", "stack", "output", "inventory", "--json", "--stack", "local").stdout)
    hosts = [Host(site, int(one["private_address"].rpartition(".")[2]), one["name"]) for one in said["hosts"]]
    return Fleet(chain, library, hosts, [line.partition(",")[0] for line in lines], calls)


def played() -> str:
    """Return what Claude's double plays, as JSON: the script, with some answers to spare at each end."""
    talks = tomllib.loads(SCRIPT)["conversation"]
    return json.dumps({"conversation": [{**talk, "answer": talk["answer"] + [SPARE] * 4} for talk in talks]})


def swept(text: str, caps: HostDayUse) -> str:
    """Return the demo's settings for the sweep: short leases and sessions, and caps of all hosts' day only."""
    changes = {
        "lease_s = 20\n": f"lease_s = {LEASE_S}\n", "watch_s = 60\n": "watch_s = 1\n",
        "turns = 30\n": f"turns = {TURNS}\n",
        "poll_seconds = 2\n": "poll_seconds = 1\n", "sessions_per_day = 50\n": "sessions_per_day = 1000\n",
        "usd_per_day = 50.0\n": "usd_per_day = 10000.0\n",
        "# sessions_per_day = 15\n": f"sessions_per_day = {caps.sessions}\n",
        "# usd_per_day = 30.0\n": f"usd_per_day = {caps.usd_micros / 1_000_000}\n",
    }  # fmt: skip
    for old, new in changes.items():
        if text.count(f"\n{old}") != 1:
            raise AssertionError(f"the settings do not have {old!r} once")
        text = text.replace(f"\n{old}", f"\n{new}")
    return text


def _asked(url: str, token: str | None = None) -> bytes:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return urllib3.request("GET", url, headers=headers, timeout=60).data


@dataclass
class Outcome:
    """What a sweep came to."""

    faults: Counter[str]
    noted: Noted
    seen: Seen
    calls: list[Called]
    synced: SyncRun
    restored: Seen | None = None
    moved: str = ""


Told = Callable[[str], None]


def sweep(faults: int, seed: int, told: Told = lambda _: None, minutes: float = math.inf) -> Outcome:
    """Bring up a fleet, do so many faults, in so many minutes at most, and return what was acknowledged and is so."""
    told("bringing up three hosts by `demo --hosts 3`, then deploying the sweep's settings: some minutes")
    with fleet(caps_of(faults)) as hosts:
        came = swept_over(hosts, faults, seed, told, minutes)
        told("a backup of the table goes onto one host, as a file")
        came.restored = restored(hosts)
        told("its queue goes into another table and back, and is cut off on its way")
        came.moved = moved(hosts)
        return came


def swept_over(hosts: Fleet, faults: int, seed: int, told: Told, minutes: float = math.inf) -> Outcome:
    """Do the faults, in so many minutes at most, then see that all hosts work on, up to the cap."""
    chance, ends = random.Random(seed), time.monotonic() + minutes * 60
    driver = Driver(hosts, chance.random())
    used = begun(hosts.hosts[0].client())
    driver.start()
    while (count := hosts.done.total()) < faults and time.monotonic() < ends:
        # With the faults: at the end all hosts are to be seen at work, and then to meet the cap. A task that is handed
        # over takes two sessions.
        driver.quota = BACKLOG + (caps_of(faults).sessions - used - BACKLOG) // 2 * count // faults
        hosts.mend()
        kind = chance.choices([*KINDS], [*KINDS.values()])[0]
        before = amount(driver.noted)
        is_hit = hosts.hit(kind, chance.choice(hosts.hosts), chance)
        hosts.done[kind] += is_hit
        driver.require()
        if hosts.done.total() // 25 > count // 25:
            told(f"{hosts.done.total()} of {faults} faults; {progress(driver.noted)}")
        time.sleep(chance.uniform(*CALM_S) if is_hit else 0.1)
        if is_hit:
            # On a slow machine hosts come back slowly: what is hit is to be at work.
            wait_until(lambda before=before: moved_on(hosts, driver, before), STANDSTILL_S, 0.1)  # type: ignore[misc]
    hosts.mend(all_of_it=True)
    told("all faults are over; each host must answer and work on")
    require_all_at_work(hosts, driver)
    told("the cap of the day must hold with all three at it")
    require_cap_met(hosts, driver, caps_of(faults))
    driver.end()
    told("the sync must come to its end, and then find nothing to do")
    synced = last_sync(hosts)
    told("asking the queue for all of it")
    calls = [Called(**json.loads(line)) for line in hosts.calls.read_text(encoding="ascii").splitlines()]
    return Outcome(hosts.done, driver.noted, observe(hosts.hosts[0].client()), calls, synced)


def caps_of(faults: int) -> HostDayUse:
    """Return the caps of all hosts' day, the demo's own sessions among it. Of the dollars a task or two for each host,
    and what dashboards that are killed before their claim is written keep until midnight.
    """
    # A quick machine ends half a task for each fault: with fewer, most faults hit hosts that had nothing to do.
    return HostDayUse(sessions=30 + faults, usd_micros=(6 + faults // 20) * USD_OF_A_TASK * 1_000_000)


def moved_on(fleet: Fleet, driver: Driver, before: int) -> bool:
    """Whether more was acknowledged than before; what is over meanwhile is ended."""
    fleet.mend()
    return amount(driver.noted) > before


def amount(noted: Noted) -> int:
    """Return how much was acknowledged."""
    return len(noted.added) + len(noted.claims) + len(noted.records) + len(noted.replies) + len(noted.done)


def begun(client: Client) -> int:
    """Return how many sessions began today, as the hosts' page has it."""
    return client.hosts().today.sessions


def taken(client: Client) -> HostDayUse:
    """Return what is taken of the day's caps, as claims are held to it."""
    return client.hosts().taken or HostDayUse()


def require_all_at_work(fleet: Fleet, driver: Driver) -> None:
    """Wait until each host answers, and has claimed something since."""
    for host in fleet.hosts:
        if not wait_until(lambda host=host: is_ready(host), ANSWERS_S, 0.5):  # type: ignore[misc]
            raise AssertionError(f"{host.name} does not answer any more")
    before = claims(driver.noted)

    def all_claimed() -> bool:
        driver.require()
        driver.quota = len(driver.noted.added) + 1
        now = claims(driver.noted)
        return all(now[host.name] > before[host.name] for host in fleet.hosts)

    if not wait_until(all_claimed, ANSWERS_S, 0.5):
        raise AssertionError(f"not every host claims: {before}, then {claims(driver.noted)}")


def is_ready(host: Host) -> bool:
    """Whether its dashboard wrote the queue and read it."""
    with suppress(Unreachable, RequestRefused):
        return host.client().ready().status == "ready"
    return False


def claims(noted: Noted) -> Counter[str]:
    """Return how many claims each host was seen to have."""
    return Counter(name for by in list(noted.claims.values()) for name in [*by])


def require_cap_met(fleet: Fleet, driver: Driver, caps: HostDayUse) -> None:
    """Add tasks until a cap of the day is used up, and then some that must wait. What a dashboard had taken when it was
    killed stays taken (decision 81), so that fewer sessions may have begun.
    """

    def is_met() -> bool:
        driver.require()
        driver.quota = len(driver.noted.added) + 1
        with suppress(Unreachable, RequestRefused):
            waits, used = list(driver.open.values()), taken(fleet.hosts[0].client())
            is_used_up = used.sessions >= caps.sessions or used.usd_micros >= caps.usd_micros
            return is_used_up and waits.count(State.QUEUED) >= len(fleet.hosts)
        return False

    if not wait_until(is_met, caps.sessions * 20, 0.5):
        client = fleet.hosts[0].client()
        raise AssertionError(
            f"{begun(client)} sessions began, {taken(client)} is taken, and no more, of a day of {caps}"
        )
    rest = [task for task, state in driver.open.items() if state == State.RUNNING]
    if not wait_until(lambda: not any(driver.open.get(task) == State.RUNNING for task in rest), ANSWERS_S, 0.5):
        raise AssertionError("what ran when the cap was met does not come to its end")


def last_sync(fleet: Fleet) -> SyncRun:
    """Run the sync on one host after the other until a run found nothing to do; it is whole then."""
    ends = time.monotonic() + SYNC_ENDS_S
    for host in itertools.cycle(fleet.hosts):
        began = time.time()
        host.systemctl("start", SYNC)
        with suppress(Unreachable, RequestRefused):
            for run in host.client().sync_runs()[:1]:
                stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(began))
                if run.outcome is SyncOutcome.UNCHANGED and run.started_at >= stamp:
                    return run
        if time.monotonic() > ends:
            raise AssertionError("the sync does not come to its end")
        time.sleep(1)
    raise AssertionError("unreachable")


def restored(fleet: Fleet) -> Seen:
    """Make a backup of the table, restore it on the first host by the steps that `fab restore` names, and return what
    the queue says there. The other hosts go.
    """
    chain, host = fleet.chain, fleet.hosts[0]
    key, file = chain.site.state / "sweep.key", chain.site.state / "sweep.age"
    public = chain.fab("backup-key", str(key)).stdout.strip()
    chain.fab("backup", str(file), "--recipient", public, "--host", host.name)
    restore = ("restore", str(file), "--identity", str(key))
    refused = chain.fab(*restore, "--host", host.name, check=False)
    if not refused.returncode or "share the queue in the table" not in refused.stdout + refused.stderr:
        raise AssertionError(f"a backup was restored on one host of three: {refused.stdout + refused.stderr}")
    edit(chain.folder / "Pulumi.local.yaml", "jada:hosts: .*", f'jada:hosts: ["{host.name}"]')
    chain.run("pulumi", "up", "--yes", "--skip-preview", "--non-interactive", "--stack", "local")
    said = chain.fab(*restore).stdout
    if "is in place; the host is paused" not in said:
        raise AssertionError(said)
    edit(chain.folder / "jada.local.toml", "table = .*", 'table = ""')
    # Before its worker may take anything: the host stays paused.
    chain.fab("deploy")
    # What a table counts of the day goes into no copy of it.
    seen = replace(observe(host.client()), counted=None)
    chain.fab("resume")
    return seen


def moved(fleet: Fleet) -> str:
    """Move the one host's queue out of its file into a new table, first cut off in the middle, and back; raise
    `AssertionError` unless it says the same then. Returns what was counted.
    """
    chain, host = fleet.chain, fleet.hosts[0]
    edit(chain.folder / "Pulumi.local.yaml", "jada:table: .*", "jada:table: moved-queue")
    chain.run("pulumi", "up", "--yes", "--skip-preview", "--non-interactive", "--stack", "local")
    chain.fab("pause")  # what is observed is what is moved
    before = observe(host.client())
    cut_off_on_its_way(fleet, host)
    into = chain.fab("move-queue", "--to", "table").stdout
    back = chain.fab("move-queue", "--to", "file").stdout
    counts = re.findall(r"(\d+ tasks, .* were read back and are equal): in the (table|file)", into + back)
    if [place for _, place in counts] != ["table", "file"] or len({said for said, _ in counts}) != 1:
        raise AssertionError(into + back)
    chain.fab("resume")
    if not wait_until(lambda: is_ready(host), ANSWERS_S, 0.5):
        raise AssertionError(f"{host.name} does not answer after its queue was moved there and back")
    # The host works again by now: it may have more, and nothing else.
    after = observe(host.client())
    done = {task: result for task, result in before.tasks.items() if result}
    lost = before.records.items() - after.records.items()
    if lost or before.tasks.keys() != after.tasks.keys() or not done.items() <= after.tasks.items():
        raise AssertionError(f"the queue says something else after it was moved there and back: {lost}")
    return counts[0][0]


def cut_off_on_its_way(fleet: Fleet, host: Host) -> None:
    """Begin a move into the table, and kill it once neither place may be opened."""
    chain = fleet.chain
    server = Process.recorded(chain.site.state / "dynamodb.pid")
    mark = Path("var/lib/jada-dashboard/queue.table")
    if server is None or host.root is None:
        raise AssertionError("there is nothing to move, or nowhere")
    os.kill(server.pid, signal.SIGSTOP)  # the move gets no further than to its mark
    try:
        words = ["fab", "move-queue", "--to", "table"]
        said = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        with subprocess.Popen(words, env=chain.env, cwd=chain.folder, **said) as moving:  # type: ignore[call-overload]
            is_there = wait_until(lambda: (host.root or Path("/nowhere")).joinpath(mark).exists(), ANSWERS_S, 0.1)
            host.systemctl("kill", "--kill-whom=all", "--signal=KILL", "jada-move-queue.service")
            told, _ = moving.communicate()
    finally:
        os.kill(server.pid, signal.SIGCONT)
    if not is_there or moving.returncode == 0 or "mend that and run it again" not in told:
        raise AssertionError(told)


def edit(file: Path, line: str, instead: str) -> None:
    """Replace a line of a settings file. Raises `AssertionError` unless it is there once."""
    text, count = re.subn(rf"^(\s*){line}$", rf"\g<1>{instead}", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
    if count != 1:
        raise AssertionError(f"{file} has {line!r} {count} times")
    file.write_text(text, encoding="utf-8")


def progress(noted: Noted) -> str:
    """Return what was acknowledged so far, as a line."""
    return (
        f"acknowledged: {len(noted.added)} tasks, {sum(claims(noted).values())} claims, {len(noted.records)} records, "
        f"{len(noted.replies)} replies, {len(noted.done)} results"
    )


def main() -> int:
    """Do a sweep; return 1 when anything was untrue."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults.hosts", formatter_class=argparse.RawDescriptionHelpFormatter, description=__doc__,
        epilog="Needs root. 500 faults take 40 minutes on a machine that is free, 80 where others are at work, and"
        " bringing up the hosts 5 to 10 more. All goes at the end."
        " Exit code 1: something was untrue.",
    )  # fmt: skip
    parser.add_argument("--faults", type=int, default=500, help="how many (default: %(default)s)")
    parser.add_argument(
        "--minutes", type=float, default=math.inf, help="end the faults after so many, and judge what there was"
    )
    parser.add_argument("--seed", type=int, default=1, help="what is hit when follows from it (default: %(default)s)")
    args = parser.parse_args()
    began = time.monotonic()

    def told(line: str) -> None:
        sys.stdout.write(f"{time.monotonic() - began:5.0f} s  {line}\n")
        sys.stdout.flush()

    came, caps = sweep(args.faults, args.seed, told, args.minutes), caps_of(args.faults)
    found = untrue(came.noted, came.seen, caps=caps, of_a_task=OF_A_TASK, calls=came.calls)
    if came.restored:
        again = untrue(came.noted, came.restored, caps=caps, of_a_task=OF_A_TASK)
        found += [f"in the restored queue, {each}" for each in again]
    kinds = ", ".join(f"{count} {kind}" for kind, count in came.faults.most_common())
    sessions = sum(map(len, came.seen.sessions.values()))
    syncs = len({(each.host, each.connection) for each in came.calls})
    told(f"{came.faults.total()} faults of three hosts, seed {args.seed} ({kinds})")
    told(f"{progress(came.noted)}")
    spent, counted = sum(came.seen.spent.values()), came.seen.counted or HostDayUse()
    told(f"{sessions} sessions of at most {caps.sessions}, {counted.sessions} counted; {syncs} connections of syncs")
    told(f"${spent / 1e6:.2f} of at most ${caps.usd_micros / 1e6:.2f}, ${counted.usd_micros / 1e6:.2f} counted")
    for each in found[:20]:
        told(f"  {each}")
    told(
        f"{len(found)} VIOLATIONS" if found else
        "0 violations: no double claim, nothing acknowledged lost, no result overwritten, no session over a cap, "
        f"never two syncs at once; the last sync read {came.synced.rows_read} bookings and found nothing to do; all"
        f" that was acknowledged is in the backup that was restored, too, and came into a table and back: {came.moved}"
    )  # fmt: skip
    return 1 if found else 0


if __name__ == "__main__":
    # A shell ignores it for what it starts in the background; the hosts are to go at Ctrl-C, too.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with suppress(KeyboardInterrupt):
        sys.exit(main())
