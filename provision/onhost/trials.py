"""What is tried before a release is switched to, beside what runs: its sync, and its queue with the one that would be
gone back to. Each runs as its own unit does, within the same walls, over a copy of its state, in a network of its own
where it serves.
"""

import json
import shutil
import sqlite3
import subprocess
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path

from provision.onhost import durable, units, whole
from provision.onhost.errors import DeployRefused
from provision.onhost.events import Events
from provision.onhost.runs import Record

SYNC, QUEUE = "port-sheet-sync.service", "jada-dashboard.service"
TRIAL_SYNC, TRIAL_QUEUE = "jada-trial-sync.service", "jada-trial-queue.service"
RUNTIME = "jada-trial"
"""The folder below /run in which a trial's socket is: the real one's stays the real one's."""
TOKEN = Path("/home/jada/secrets/dashboard_token")
_STATE = Path("/var/lib/jada-dashboard")
UNITS = Path("/run/systemd/system")
DROPPED = ("OnFailure=", "Restart", "StartLimit", "RuntimeDirectory", "TimeoutStartSec=", "SuccessExitStatus=")
"""A trial that fails raises no alarm, is not started again, and has its own time."""
# A usual run takes seconds. A deploy does not wait for a long one: it says that the sync was not tried.
SYNC_WAIT_S = 20
# In the trial's own network and mounts: add a task, find it, claim it. Only a failure of the server's own counts; what
# a release from before does not know, it refuses.
EXERCISE = """
import http.client, json, os, socket, sys
asked = json.load(sys.stdin)
class Local(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(asked["socket"])
there = asked["socket"] and os.path.exists(asked["socket"])
calls = [
    ("POST", "/v1/tasks", {"title": "a trial of the queue"}),
    ("GET", "/v1/tasks", None),
    ("POST", "/v1/claims", {"host": "trial"}),
]
for method, path, body in calls:
    link = Local("localhost") if there else http.client.HTTPConnection(asked["address"], asked["port"], timeout=20)
    headers = {"Authorization": "Bearer " + asked["token"], "Content-Type": "application/json"}
    link.request(method, path, None if body is None else json.dumps(body), headers)
    answer = link.getresponse()
    said = answer.read()
    if answer.status >= 500:
        sys.exit(f"{method} {path} answers {answer.status}: {said[:300].decode(errors='replace')}")
"""


def trial_unit(text: str, home: Path, release: str, state: str, copy: Path, *, serves: bool) -> str:
    """Return a unit's text for a trial of a release: its own files whatever `current` is, `copy` in `state`'s place."""
    folder = home / "releases" / release
    rebased = text.replace(f"{home}/current", str(folder)).replace("/etc/jada/", f"{folder}/etc/")
    kept = [line for line in rebased.splitlines() if not line.startswith(DROPPED)]
    more = ["TimeoutStartSec=120", f"BindPaths={copy}:{state}"]
    if serves:
        more += ["PrivateNetwork=yes", f"RuntimeDirectory={RUNTIME}", f"BindPaths=/run/{RUNTIME}:/run/jada-dashboard"]
    else:
        kept = [f"{line} --dry-run" if line.startswith("ExecStart=") else line for line in kept]
    at = kept.index("[Service]") + 1
    return "\n".join([*kept[:at], *more, *kept[at:]]) + "\n"


def try_sync(record: Record, events: Events, release: str) -> None:
    """Raise `DeployRefused` when the sync's dry run fails with this release and passed with the one that is current."""
    current = record.current()
    if current is None or not _differs(record, SYNC, release, current):
        return
    with events.step("try the sync, which writes nothing"):
        untried = _compare_syncs(record, release, current)
    if untried:
        events.emit(note=untried)


def _compare_syncs(record: Record, release: str, current: str) -> str | None:
    """Raise `DeployRefused` as `try_sync` does; return why nothing was learnt."""
    if not _sync_is_idle():
        return "the sync was not tried: a run of it is under way"
    try:
        return compared(release, current, partial(_dry_run, record), _last_run)
    except subprocess.CalledProcessError as error:
        # Cron, or an operator, began a run since.
        why = error.stderr.decode(errors="replace").strip()
        return f"the sync was not tried: its memory can't be copied now: {why}"


def compared(
    release: str, current: str, dry_run: Callable[[str], str | None], run: Callable[[], str | None]
) -> str | None:
    """The same, by a dry run of each release; `run` is the sync's own last run."""
    before = run()
    if dry_run(current) is not None:
        return f"the sync's dry run fails with release {current} as well: it says nothing of {release}"
    if (failed := dry_run(release)) is None:
        return None
    if run() != before:
        # What was copied may be half of what it wrote.
        return f"a run of the sync began beside its dry run, which says nothing of release {release}: {failed}"
    cause = f"the sync's dry run passes with release {current} and fails with {release}"
    raise DeployRefused(f"{cause}; its journal ends:\n{failed}")


def try_queue(record: Record, events: Events, release: str, before: str | None) -> None:
    """Raise `DeployRefused` when this release can't work on the queue, or `before` can't once this one changed it."""
    if before is None or not _differs(record, QUEUE, release, before) or not (_STATE / "queue.db").exists():
        return
    with events.step(f"try a copy of the queue with this release, then with {before}, which would be gone back to"):
        unlearnt = _compare_queues(record, release, before)
    if unlearnt:
        events.emit(note=unlearnt)


def _compare_queues(record: Record, release: str, before: str) -> str | None:
    """Raise `DeployRefused` as `try_queue` does; return why nothing was learnt."""
    with _copy_of_queue(record) as copy:
        if (failed := _serve(record, release, copy)) is not None:
            raise DeployRefused(f"release {release} can't work on a copy of the queue:\n{failed}")
        if (failed := _serve(record, before, copy)) is None:
            return None
    with _copy_of_queue(record) as copy:
        if _serve(record, before, copy) is not None:
            return f"release {before} can't work on the queue as it is now either"
    raise DeployRefused(
        f"release {release} changes the queue so that {before}, which would be gone back to, can't live with it:\n"
        f"{failed}\nLet a release add first, and remove only in a later one."
    )


def clear(record: Record) -> None:
    """Take away what a trial left that was cut off."""
    for trial in (TRIAL_SYNC, TRIAL_QUEUE):
        if (UNITS / trial).exists():
            units.stop(trial)
            durable.remove(UNITS / trial)
    shutil.rmtree(record.home / "trial", ignore_errors=True)


def _differs(record: Record, unit: str, one: str, other: str) -> bool:
    read = [(whole.manifest(record.home / "releases" / each) or {}).get("units", {}).get(unit) for each in (one, other)]
    return None not in read and read[0] != read[1]


def _sync_is_idle() -> bool:
    until = time.monotonic() + SYNC_WAIT_S
    while units.is_busy(SYNC):
        if time.monotonic() > until:
            return False
        time.sleep(0.5)
    return True


def _last_run() -> str | None:
    return units.shown(SYNC, "InvocationID").get("InvocationID")


def _dry_run(record: Record, release: str) -> str | None:
    """Run a release's sync without writing, over a copy of its memory; return the journal's end if it fails."""
    state = Path("/var/lib/jada-sync")
    with _trial_folder(record) as folder:
        subprocess.run(["cp", "-a", str(state), str(folder / "sync")], capture_output=True, check=True)
        return _started(record, release, SYNC, TRIAL_SYNC, (str(state), folder / "sync"), lambda: None)


@contextmanager
def _copy_of_queue(record: Record) -> Iterator[Path]:
    with _trial_folder(record) as folder:
        size = size_of(_STATE / "queue.db")
        if shutil.disk_usage(folder).free < 2 * size:
            raise DeployRefused(
                f"there is no room for a copy of the queue ({2 * size / 1e6:.0f} MB) to try the release on"
            )
        copy, owner = folder / "queue", _STATE.stat()
        copy.mkdir(mode=0o700)
        with (
            closing(sqlite3.connect(f"file:{_STATE}/queue.db?mode=ro", uri=True)) as queue,
            closing(sqlite3.connect(copy / "queue.db")) as into,
        ):
            queue.backup(into)
        if (_STATE / "queue.db.id").exists():
            shutil.copy(_STATE / "queue.db.id", copy)
        for path in (copy, *copy.iterdir()):
            shutil.chown(path, owner.st_uid, owner.st_gid)
        yield copy


def size_of(queue: Path) -> int:
    """Return the bytes of a queue's files, of which its dashboard takes some away as it ends."""
    size = 0
    for path in queue.parent.glob(f"{queue.name}*"):
        with suppress(FileNotFoundError):
            size += path.stat().st_size
    return size


def _serve(record: Record, release: str, copy: Path) -> str | None:
    """Have a release serve a copy of the queue, and use it; return what went wrong."""
    return _started(record, release, QUEUE, TRIAL_QUEUE, (str(_STATE), copy), lambda: _exercise(record, release))


def _exercise(record: Record, release: str) -> str | None:
    settings = tomllib.loads((record.home / "releases" / release / "etc/jada.toml").read_text(encoding="utf-8"))
    page = settings.get("dashboard", {})
    asked = {
        "socket": page.get("socket", "/run/jada-dashboard/queue.sock"),
        "address": page.get("address", "127.0.0.1"),
        "port": page.get("port", 8765),
        # A release that has a socket there asks for none.
        "token": TOKEN.read_text(encoding="utf-8").strip() if TOKEN.exists() else "",
    }
    pid = units.main_pid(TRIAL_QUEUE)
    command = ["nsenter", f"--target={pid}", "--net", "--mount", "/usr/bin/python3", "-I", "-c", EXERCISE]
    done = subprocess.run(command, input=json.dumps(asked), capture_output=True, text=True, check=False)
    return None if done.returncode == 0 else done.stderr.strip().splitlines()[-1]


def _started(
    record: Record, release: str, unit: str, trial: str, state: tuple[str, Path], use: Callable[[], str | None]
) -> str | None:
    """Start a trial of a unit, use it, stop it; return the reason when something of that fails."""
    text = (record.home / "releases" / release / "units" / unit).read_text(encoding="utf-8")
    path = UNITS / trial
    durable.write(path, trial_unit(text, record.home, release, *state, serves=trial == TRIAL_QUEUE).encode(), 0o644)
    try:
        units.reload_for(trial)
        done = subprocess.run(["systemctl", "start", trial], capture_output=True, text=True, check=False)
        return units.journal(trial, 6) if done.returncode else use()
    finally:
        units.stop(trial)
        subprocess.run(["systemctl", "reset-failed", trial], capture_output=True, check=False)
        durable.remove(path)


@contextmanager
def _trial_folder(record: Record) -> Iterator[Path]:
    """A folder for copies; what a kill left of the last one goes first."""
    folder = record.home / "trial"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
