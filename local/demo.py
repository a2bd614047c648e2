"""The main job on one machine: make a box, make it a worker, give it work, prove it, and say where to look."""

import contextlib
import http
import json
import os
import secrets
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import urllib3

from local import closing, cloud, environment, loss, tools
from local.account import Account, typed
from local.ports import reserved
from local.process import wait_until
from local.site import BOOKINGS, GOOGLE, Site
from local.steps import StepFailed, Steps
from wire.client import Client, RequestRefused, Unreachable
from wire.secret import Secret
from wire.types import AskedBudget, File, NewTask, Reply, State, SyncOutcome, Task

FAB = str(environment.ROOT / ".venv" / "bin" / "fab")
SHEET = "jada-bookings"
TASK_LIMIT_S = 600
"""How long the three tasks may take: a bound for a hang, far above what they need."""

TASKS = (
    NewTask(
        title="Season occupancy",
        description=(
            "Work out from bookings.csv how full each hotel was in each month. A stay occupies the nights from its"
            " arrival up to its departure; cancelled stays and no-shows occupy none. Take as a hotel's rooms the most"
            " that were occupied in any one night. Hand over occupancy.csv with the columns hotel, month, room_nights,"
            " rooms, nights, occupancy_percent, and name the busiest month."
        ),
    ),
    NewTask(
        title="Check every booking",
        description="Read bookings.csv batch by batch and report every booking whose dates or numbers can't be right.",
    ),
    NewTask(
        title="Ask about the group booking",
        description="A group has not confirmed. Ask a person whether to keep its rooms or to release them; report it.",
    ),
)
LONG = TASKS[1].title
"""The one in whose middle a host is lost, where there are several."""
SECOND = "larger batches now"
"""What the script says in that task's second session only."""
ANSWER = "Keep them until Friday, then release."


@dataclass(frozen=True, slots=True)
class Choice:
    """What a demo was asked for: a bookings file or the generated season, the double or the real API, its network, how
    many hosts.
    """

    bookings: str | None
    claude: str
    octet: int = Site().octet
    hosts: int = 1

    @property
    def names(self) -> tuple[str, ...]:
        """The hosts' names, where they are several."""
        return tuple(f"jada-{number + 1}" for number in range(self.hosts)) if self.hosts > 1 else ()


def run(site: Site, choice: Choice, steps: Steps, key: Secret | None) -> None:
    """Run the whole demo; `key` is the real API's, where that plays the model.

    Raises `StepFailed` with a text for the user; what is up stays up for `down`.
    """
    env = deployed(site, choice, steps, key)
    bill = _on_several(site, choice, env, steps) if choice.names else _on_one(site, env, steps)
    with steps.step(f"fab verify: {'each' if choice.names else 'the'} host, proven over the same SSH"):
        for line in _fab(site, steps, env, "verify").strip().splitlines()[-choice.hosts :]:
            steps.tell(line)
    _remember(site, choice)
    steps.console.print(_closing(site, choice, bill, steps), soft_wrap=True)


def deployed(site: Site, choice: Choice, steps: Steps, key: Secret | None = None) -> dict[str, str]:
    """Make the cloud, its boxes, and workers of them; return the environment of the operator's commands.

    Raises `StepFailed`.
    """
    with steps.step("tools: what is missing is installed or built, once"):
        tools.packages(steps)
        engine, image = tools.engine(steps), tools.image(steps)
        database = tools.dynamodb(steps) if choice.names else None
    with steps.step("cloud: Lightsail, Claude, Google and the booking system on this machine"):
        _cloud(site, choice, image, steps)
        environment.record_engine(site, engine)
        if database:
            steps.tell("and DynamoDB Local, AWS's own, for the queue that the hosts share")
            cloud.start_database(site, database)
    env = _shell(site, steps.operator)
    made = f"{choice.hosts} boxes, each with static IP and firewall, and a table" if choice.names else ONE_BOX
    with steps.step(f"pulumi up: {made}"):
        _pulumi_state(site, steps.operator)
        select = ["pulumi", "stack", "select", "--create", "local"]
        steps.run("stack", select, env=env, cwd=environment.project(site), as_operator=True)
        up = ["pulumi", "up", "--yes", "--skip-preview", "--non-interactive", "--stack", "local"]
        steps.run("up", up, env=env, cwd=environment.project(site), as_operator=True)
    with steps.step("fab secrets: four secrets, over SSH, to a folder that only root reads"):
        _secrets(site, key or Secret(_token()), steps.operator)
        _fab(site, steps, env, "secrets", "--from", str(site.state / "secrets"))
    if choice.names:
        with steps.step("fab table-key: each host gets the key to the table"):
            _fab(site, steps, env, "table-key")
    with steps.step(f"fab deploy: first the system, then a release{HOST_BY_HOST if choice.names else ''}"):
        _fab(site, steps, env, "deploy")
    return env


ONE_BOX = "the box, its static IP and its firewall"
HOST_BY_HOST = "; the first host alone, then the others"
Bill = list[tuple[Task, int]]


def _on_one(site: Site, env: dict[str, str], steps: Steps) -> Bill:
    """Have the one host work and sync; return each task with its number of sessions."""
    with contextlib.ExitStack() as opened:
        with steps.step("work: three tasks, through the queue, on the host"):
            client = opened.enter_context(_dashboard(site, env, steps.operator))
            done = tasks_done(site, client, steps)
        with steps.step("sync: the bookings into the sheet, and a second run that writes nothing"):
            _sync(site, client, env, steps)
        return _bill(client, done)


def _on_several(site: Site, choice: Choice, env: dict[str, str], steps: Steps) -> Bill:
    """Have several hosts work over one table, lose one in the middle of a session, and see the session go on."""
    first = choice.names[0]
    with (
        steps.step("work: three tasks in one queue; each host takes what it finds"),
        _dashboard(site, env, steps.operator, first) as client,
    ):
        if choice.claude != "real":
            loss.hold_answers(site, SECOND)
        queued = _queued(site, client)
        long = next(task for task in queued if task.title == LONG)
        # The script's second session has the files of the first one, which ended in order; how many a real model needs
        # is its own matter.
        middle = loss.wait_for_middle(client, long, 1 if choice.claude == "real" else 2)
        named = _hostnames(site, env, steps)
        lost = named[middle.host]
        steps.tell(f"{lost} works on “{LONG}”: {middle.records} records of it are in the table")
    other = next(name for name in choice.names if name != lost)
    with steps.step(f"loss: the power of {lost} is cut in the middle of that session"):
        _cut_off(site, choice, lost)
        steps.tell(f"{lost} is down, and stays down; {other} is asked from here on")
        with _dashboard(site, env, steps.operator, other) as client:
            successor, seconds = loss.wait_for_successor(client, long, middle)
            steps.tell(f"{named[successor]} goes on with the same session, {seconds:.0f} s later")
            done = _finished(client, queued, steps)
            if not (notice := loss.missing_notice(client, middle)):
                raise StepFailed("the session that went on was not told that its first host was lost")
            steps.tell(f"the model was told: {notice.partition('. ')[0].removeprefix('[jada: ')}.")
            bill = _bill(client, done)
    with steps.step(f"return: {lost} is started again"):
        loss.start(site, lost)
        _fab(site, steps, env, "ssh", "--host", lost, "--command", "sudo systemctl is-system-running --wait")
    with (
        steps.step("sync: the bookings into the sheet, and a second run that writes nothing"),
        _dashboard(site, env, steps.operator, first) as client,
    ):
        _sync(site, client, env, steps, first)
    return bill


def _cut_off(site: Site, choice: Choice, name: str) -> None:
    loss.cut_power(site, name)
    if choice.claude != "real":
        loss.release_answers(site)


def _hostnames(site: Site, env: dict[str, str], steps: Steps) -> dict[str, str]:
    """Return each host's name in Pulumi by the one that it has itself, which Lightsail makes of its private address."""
    asked = ["pulumi", "stack", "output", "inventory", "--json", "--stack", "local"]
    said = steps.run("inventory", asked, env=env, cwd=environment.project(site), as_operator=True)
    return {f"ip-{each['private_address'].replace('.', '-')}": each["name"] for each in json.loads(said)["hosts"]}


def _bill(client: Client, done: list[Task]) -> Bill:
    return [(task, len(client.sessions(task.id))) for task in done]


def require_consent(site: Site, choice: Choice, environ: Mapping[str, str], ask: Callable[[str], str] | None) -> None:
    """Return when no demo of another choice is up, or when the user lets it go; `ask` is None without a terminal.

    Raises `StepFailed` otherwise.
    """
    other = remembered(site)
    if other in (None, choice):
        return
    up = f"a demo with {_words(other)} is up"
    if ask is None:
        raise StepFailed(f"{up}. To have this one in its place: `{typed(environ, 'down')} && {typed(environ)}`")
    if ask(f"jada: {up}. Remove it, and make one with {_words(choice)}? [y/N] ").strip().lower() not in ("y", "yes"):
        raise StepFailed(f"nothing was changed: {up} still")


def _words(choice: Choice) -> str:
    bookings = f"the bookings of {choice.bookings}" if choice.bookings else "the generated season"
    hosts = f", on {choice.hosts} hosts" if choice.names else ""
    return f"{bookings} and {'the real Claude' if choice.claude == 'real' else 'a script as Claude'}{hosts}"


def _shell(site: Site, operator: Account | None) -> dict[str, str]:
    """The environment of the operator's commands."""
    no_proxy = os.environ.get("NO_PROXY", "")
    env = {**os.environ, **environment.variables(site, os.environ["PATH"], no_proxy)}
    if operator:
        env.update(dict.fromkeys(("USER", "LOGNAME"), operator.name))
        # Only what root writes would be in the user's way; without any, each `fab` would compile all that it imports.
        env.pop("PYTHONDONTWRITEBYTECODE", None)
    return env


def _pulumi_state(site: Site, operator: Account | None) -> None:
    """Make the folder of Pulumi's state; it and its parent are the operator's, and no other user's."""
    folder = site.state / environment.PULUMI_STATE
    folder.mkdir(exist_ok=True)
    if operator:
        operator.give(folder)
        os.chown(site.state, operator.uid, operator.gid)


def remembered(site: Site) -> Choice | None:
    """Return what the demo that is up was made of, or None where none came to its end."""
    try:
        return Choice(**json.loads((site.state / "demo.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def must_go(site: Site, choice: Choice) -> bool:
    """Whether an interrupted demo, or one of another choice, left something that is to be removed first."""
    return site.state.exists() and remembered(site) != choice


def _remember(site: Site, choice: Choice) -> None:
    (site.state / "demo.json").write_text(json.dumps(asdict(choice)), encoding="utf-8")


def _cloud(site: Site, choice: Choice, image: Path, steps: Steps) -> None:
    """Start the cloud; what an interrupted or another demo left is removed first."""
    if must_go(site, choice):
        steps.tell("removing what an earlier demo left")
        cloud.stop(site)
    # From here on until the end, what is up is half-made.
    (site.state / "demo.json").unlink(missing_ok=True)
    relay = ["local.relay", "--outside", f"/proc/{os.getpid()}/ns/net"]
    programs = {
        "lightsail": ["doubles.lightsail", "--image", str(image)],
        "claude": relay if choice.claude == "real" else ["doubles.claude"],
        "google": ["doubles.google"],
        "bookings": ["doubles.bookings", *(["--file", choice.bookings] if choice.bookings else [])],
    }
    cloud.start(site, programs)
    environment.make_project(site, steps.operator, choice.names)
    steps.logs = site.state / "logs"
    _post(f"{site.url(GOOGLE)}/_local/spreadsheets", {"id": SHEET, "title": "Port bookings", "sheet": "Bookings"})


def _secrets(site: Site, key: Secret, operator: Account | None) -> None:
    """Put the four secrets into a folder of ours, made once, so that a second run changes none of them."""
    folder = site.state / "secrets"
    folder.mkdir(mode=0o700, exist_ok=True)
    google = site.url(GOOGLE)
    made: dict[str, Callable[[], str]] = {
        "anthropic_api_key": key.reveal,
        "bookings_token": lambda: json.loads(_get(f"{site.url(BOOKINGS)}/_local/token"))["token"],
        "port_sheet_token.json": lambda: _post(f"{google}/_local/tokens", {}),
        "port_sheet_client.json": lambda: _get(f"{google}/_local/client").decode(),
    }
    for name, make in made.items():
        if not (folder / name).exists():
            text = make()
            with os.fdopen(os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(text)
    if operator:
        operator.give(folder)


def _token() -> str:
    return secrets.token_urlsafe(32)


def _fab(site: Site, steps: Steps, env: dict[str, str], task: str, *args: str) -> str:
    command = [FAB, task, "--stack", "local", *args]
    return steps.run(f"fab-{task}", command, env=env, cwd=environment.project(site), as_operator=True)


@contextlib.contextmanager
def _dashboard(site: Site, env: dict[str, str], operator: Account | None, host: str | None = None) -> Iterator[Client]:
    """Open the operator's own tunnel to a host's dashboard and yield a client of its REST API."""
    log = (site.state / "logs" / "tunnel.log").open("wb")
    identity = operator.identity() if operator else {}
    with log, reserved() as port, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if operator:
            operator.give(folder)
        client = Client(f"unix:{folder}/queue.sock", retries=5)
        command = [
            FAB,
            "dashboard",
            "--stack",
            "local",
            "--port",
            str(port),
            "--socket",
            f"{folder}/queue.sock",
            *(["--host", host] if host else []),
        ]
        place = environment.project(site)
        with subprocess.Popen(command, env=env, cwd=place, stdout=log, stderr=log, **identity) as tunnel:
            try:
                opened = wait_until(lambda: _healthy(client) or tunnel.poll() is not None, 120)
                if not opened or tunnel.poll() is not None:
                    raise StepFailed(f"no tunnel to the dashboard; its log: {log.name}")
                yield client
            finally:
                tunnel.terminate()


def _healthy(client: Client) -> bool:
    try:
        return bool(client.ready().status == "ready")
    except (Unreachable, RequestRefused):
        return False


def tasks_done(site: Site, client: Client, steps: Steps) -> list[Task]:
    """Queue the three tasks, answer the one that asks, and wait until all are done. Raises `StepFailed`."""
    return _finished(client, _queued(site, client), steps)


def _queued(site: Site, client: Client) -> list[Task]:
    """Queue the three tasks."""
    token = (site.state / "secrets" / "bookings_token").read_text(encoding="utf-8").strip()
    bookings = File(name="bookings.csv", content=_get(f"{site.url(BOOKINGS)}/v1/bookings.csv", token))
    contexts: tuple[tuple[File, ...], ...] = ((bookings,), (bookings,), ())
    budget = AskedBudget(sessions=10, usd_micros=5_000_000)
    return [
        client.add_task(NewTask(title=t.title, description=t.description, context=files, budget=budget))
        for t, files in zip(TASKS, contexts, strict=True)
    ]


def _finished(client: Client, queued: list[Task], steps: Steps) -> list[Task]:
    """Answer the task that asks, and wait until all are done."""
    shown: dict[str, State] = {}
    deadline = time.monotonic() + TASK_LIMIT_S
    while time.monotonic() < deadline:
        tasks = [client.task(task.id) for task in queued]
        for task in tasks:
            _progress(client, task, shown, steps)
        if all(task.state is State.DONE for task in tasks):
            return tasks
        time.sleep(0.5)
    raise StepFailed(
        f"the tasks did not end in {TASK_LIMIT_S} s: {', '.join(f'{t.title} is {t.state}' for t in tasks)}"
    )


def _progress(client: Client, task: Task, shown: dict[str, State], steps: Steps) -> None:
    """Tell a change of state; answer a question; give up at what no answer of ours can mend."""
    if shown.get(task.id) == task.state:
        return
    shown[task.id] = task.state
    steps.tell(f"{task.title}: {task.state}" + (f", session {task.sessions_used}" if task.sessions_used else ""))
    if task.state in (State.FAILED, State.CANCELLED):
        raise StepFailed(f"the task {task.title!r} came to {task.state}: {task.reason}. Look: fab task.show {task.id}")
    if task.state is State.NEEDS_YOU and task.waiting:
        if task.waiting.tool_use_id is None:
            raise StepFailed(f"the task {task.title!r} needs you: {task.waiting.text}")
        steps.tell(f"it asks: {task.waiting.text}")
        steps.tell(f"you answer: {ANSWER}")
        client.reply(task.id, Reply(text=ANSWER), version=task.version)


def _sync(site: Site, client: Client, env: dict[str, str], steps: Steps, host: str | None = None) -> None:
    """Start the sync's unit twice, as cron does, and require "unchanged" of its second report."""
    for expected in ((SyncOutcome.CHANGED, SyncOutcome.UNCHANGED), (SyncOutcome.UNCHANGED,)):
        where = ["--host", host] if host else []
        before = client.sync_runs()[:1]
        _fab(site, steps, env, "ssh", *where, "--command", "sudo systemctl start port-sheet-sync.service")
        if (runs := client.sync_runs()[:1]) == before:
            raise StepFailed("the sync reported no run: see `fab logs --unit port-sheet-sync`")
        (run,) = runs
        steps.tell(f"{run.outcome}: {run.rows_read} bookings read, {run.added} added, {run.changed} changed")
        if run.outcome not in expected:
            raise StepFailed(f"the sync came to {run.outcome}: {run.cause or ''} {run.cure or ''}")


def _closing(site: Site, choice: Choice, bill: list[tuple[Task, int]], steps: Steps) -> str:
    tasks = [closing.Done(t.title, t.id, str(t.state), n, t.usd_micros_spent, t.result or "") for t, n in bill]
    sheet = f"{site.url(GOOGLE)}/spreadsheets/d/{SHEET}"
    real = choice.claude == "real"
    return closing.page(tasks, steps.taken, sheet, real=real, environ=os.environ)


def _get(url: str, token: str | None = None) -> bytes:
    answer = urllib3.request("GET", url, headers={"Authorization": f"Bearer {token}"} if token else {}, timeout=60)
    if answer.status != http.HTTPStatus.OK:
        raise StepFailed(f"{url} answered {answer.status}: {answer.data[:300]!r}")
    return answer.data


def _post(url: str, body: dict[str, str]) -> str:
    answer = urllib3.request("POST", url, json=body, timeout=60)
    if answer.status >= http.HTTPStatus.BAD_REQUEST:
        raise StepFailed(f"{url} answered {answer.status}: {answer.data[:300]!r}")
    return answer.data.decode()
