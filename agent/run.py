"""`python -m agent.run TITLE`: work on one task here, without a queue, and see what it does.

The same session, sandbox and limits as on a host. It prints each turn with its commands and dollars, asks in this
terminal what a worker would ask people, and leaves result and files in its folder. Stopped by Ctrl-C, or asked
something that is not answered, it goes on when it is started with the same --folder.

The key is read from $ANTHROPIC_API_KEY or --key-file; it reaches the session as a file that only you can read.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from msgspec.structs import replace
from ulid import ULID

from agent import settings_file
from agent.daemon.spawn import Process, Release
from agent.record import durable
from agent.record.journal import read
from agent.record.limits import spent
from agent.record.times import rfc3339
from agent.settings import SessionSettings, Settings
from wire.terminal import printable
from wire.types import Answer, Budget, Claim, Event, EventKind, Exit, File, Grant, Lease, State, Task
from wire.values import Invalid

LOOK_S = 0.2
"""Seconds between two looks at the journal."""
DRAIN_S = 12.0
"""Seconds that a session has after Ctrl-C: its request in flight gets 8 of them."""
_WORDS = 200
"""Characters of a text or a command that are shown."""
STOPPED = 130
"""Our exit code after Ctrl-C, as shells have it."""


class Work:
    """One task in one folder: `session-N` of each session, `workspace`, and at last `files`."""

    def __init__(self, folder: Path, settings: Settings, budget: Budget) -> None:
        self._folder = folder
        self._settings = settings
        self._budget = budget

    @property
    def session(self) -> Path | None:
        """The folder of the latest session, None before the first."""
        made = sorted(self._folder.glob("session-*"), key=lambda path: int(path.name.rpartition("-")[2]))
        return made[-1] if made else None

    def begin(self, title: str, description: str, context: Sequence[File]) -> None:
        """Write the first session's claim."""
        now = rfc3339(time.time())
        task = Task(
            id=str(ULID()), title=title, description=description, state=State.RUNNING, priority=5,
            budget=self._budget, version=1, created_at=now, updated_at=now, sessions_used=1,
        )  # fmt: skip
        self._write(
            Claim(task=task, lease=Lease(fence=1, ttl_s=60), session=_grant(self._budget), context=tuple(context))
        )

    def go_on(self, checkpoint: str) -> bool:
        """Write the next session's claim, which begins from a checkpoint; return whether the budget has one."""
        claim = self.claim
        used = claim.task.sessions_used + 1
        if used > self._budget.sessions:
            return False
        task = replace(claim.task, sessions_used=used)
        self._write(
            replace(claim, task=task, session=_grant(self._budget), checkpoint=checkpoint, answers=(), notes=())
        )
        return True

    def answer(self, last: Event, text: str) -> None:
        """Keep what a user said to the session that waits."""
        claim, question = self.claim, last.data.get("question")
        if question:
            claim = replace(claim, answers=(*claim.answers, Answer(tool_use_id=question["tool_use_id"], text=text)))
        else:
            claim = replace(claim, notes=(*claim.notes, text))
        self._write(claim)

    @property
    def claim(self) -> Claim:
        """The latest session's claim. Raises `Invalid` for a folder that has none."""
        session = self.session
        claim = durable.read(Claim, session / "claim.json") if session else None
        if claim is None:
            raise Invalid(str(self._folder), "holds no task")
        return claim

    def prepare(self) -> Path:
        """Write what the session may spend now, what earlier ones left of the budget; return its folder."""
        session, claim = self.session, self.claim
        assert session is not None  # noqa: S101 - the claim was read from it
        before = sum(spent(read(path)).usd_micros for path in self._folder.glob("session-*/journal.jsonl"))
        own = spent(read(session / "journal.jsonl")).usd_micros
        money = self._budget.usd_micros - before + own
        workspace = str((self._folder / "workspace").resolve())
        durable.write(session / "claim.json", replace(claim, session=replace(claim.session, usd_micros=money)))
        mirrors, caches = (str((self._folder / name).resolve()) for name in ("mirrors", "caches"))
        given = SessionSettings(
            operator=self._settings, usd_micros=money, workspace=workspace, mirrors=mirrors, caches=caches
        )
        durable.write(session / "settings.json", given)
        return session

    def _write(self, claim: Claim) -> None:
        session = self._folder / f"session-{claim.task.sessions_used}"
        session.mkdir(mode=0o700, parents=True, exist_ok=True)
        durable.write(session / "claim.json", claim)


def _grant(budget: Budget) -> Grant:
    return Grant(id=str(ULID()), new=True, usd_micros=budget.usd_micros)


def lines(events: Sequence[Event], turns: int) -> Iterator[str]:
    """Yield what is worth a line of new records."""
    for event in events:
        data = event.data
        match event.kind:
            case EventKind.SETTLE:
                said = " ".join(b["text"] for b in data["message"]["content"] if b["type"] == "text").split()
                yield f"turn {data['turn']} of {turns}, ${data['usd_micros'] / 1e6:.4f}  {' '.join(said)}"
            case EventKind.TOOL_STARTED:
                asked = data["input"] if isinstance(data["input"], dict) else {}
                yield f"  {data['name']}  {' '.join(str(asked.get('command') or asked.get('path') or '').split())}"
            case EventKind.TOOL_RESULT if data["is_error"]:
                yield f"    failed: {' '.join(data['content'].split())}"
            case EventKind.REFUND | EventKind.CUT:
                yield f"  the API: {data['reason']}; it is tried again"


def follow(session: Path, child: Process, turns: int) -> None:
    """Print what the session does until its process ends."""
    seen = 0
    while True:
        over = child.ended() is not None
        events = read(session / "journal.jsonl")
        for line in lines(events[seen:], turns):
            _say(line if len(line) <= _WORDS else f"{line[:_WORDS]} …")
        seen = len(events)
        if over:
            return
        time.sleep(LOOK_S)


def work(todo: Work, settings: Settings, credentials: Path) -> int:
    """Run sessions until the task is over or nothing goes on without a user; return the exit code."""
    environment = {**os.environ, "CREDENTIALS_DIRECTORY": str(credentials)}
    while True:
        session = todo.prepare()
        child = Process(Release.own(), session, environment)
        try:
            follow(session, child, settings.turns)
        except KeyboardInterrupt:
            _stop(child)
            _say("stopped; start it with the same --folder to go on")
            return STOPPED
        events = read(session / "journal.jsonl")
        if not events or events[-1].kind not in (EventKind.END, EventKind.SUSPEND):
            _say("the session ended without a last word: its journal is kept, and it goes on with the same --folder")
            return int(Exit.FAULT)
        code = _ended(todo, session, events[-1])
        if code is not None:
            return code


def _ended(todo: Work, session: Path, last: Event) -> int | None:
    """Say how a session ended, and get what it needs to go on; return the exit code where it does not."""
    exit_, reason = Exit(last.data["exit"]), str(last.data["reason"])
    if exit_ is Exit.FINISHED:
        _say(f"\ndone for ${last.data['usd_micros'] / 1e6:.4f}:\n{last.data['result']}")
        for name in last.data["files"]:
            _say(f"file: {session / 'files' / name}")
        return 0
    if exit_ is Exit.TURN_LIMIT and todo.go_on(str(last.data["checkpoint"])):
        _say(f"{reason}; the next session goes on")
        return None
    _say(f"\n{exit_.name.lower().replace('_', ' ')}: {reason}")
    if exit_ not in (Exit.ASKED, Exit.STUCK):
        return int(exit_)
    try:
        text = input("your answer: ").strip()
    except EOFError:
        text = ""
    if not text:
        _say("it waits for an answer: start it with the same --folder to give one")
        return int(exit_)
    todo.answer(last, text)
    return None


def _stop(child: Process) -> None:
    child.terminate()
    ends = time.monotonic() + DRAIN_S
    while child.ended() is None and time.monotonic() < ends:
        time.sleep(LOOK_S)
    child.kill()


def _say(text: str) -> None:
    sys.stdout.write(printable(text, keep_newlines=True) + "\n")
    sys.stdout.flush()


def main(arguments: list[str]) -> int:
    """Read what is asked, and work; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m agent.run", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("title", help="one line; what goes on in a --folder needs none", nargs="?")
    parser.add_argument("--description", default="", help="all that one needs to know to do it")
    parser.add_argument("--context", type=Path, action="append", default=[], metavar="FILE", help="a file to work with")
    parser.add_argument("--folder", type=Path, help="where it works (default: a new folder here)")
    parser.add_argument("--settings", type=Path, help="a jada.<stack>.toml (default: [agent]'s own defaults)")
    parser.add_argument("--claude-url", help="another address of the API")
    parser.add_argument("--dollars", type=float, default=1.0, help="the most it may cost (default: %(default)s)")
    parser.add_argument("--sessions", type=int, default=2, help="the most sessions (default: %(default)s)")
    parser.add_argument("--key-file", type=Path, help="a file with the API key (default: $ANTHROPIC_API_KEY)")
    parser.add_argument(
        "--egress-secrets",
        type=Path,
        metavar="FILE",
        help="lines of `name = token` that [agent.egress] and repositories name",
    )
    asked = parser.parse_args(arguments)
    try:
        return _run(asked)
    except (Invalid, OSError) as error:
        _say(f"agent.run: {error}")
        return 1


def _run(asked: argparse.Namespace) -> int:
    settings = settings_file.beside(asked.settings) if asked.settings else Settings()
    if asked.claude_url:
        settings = replace(settings, claude_url=asked.claude_url)
    key = asked.key_file.read_text("utf-8") if asked.key_file else os.environ.get("ANTHROPIC_API_KEY", "")
    if not key.strip():
        raise Invalid("ANTHROPIC_API_KEY", "is not set, and no --key-file is given: it is the key for Claude's API")
    folder = asked.folder or Path(f"jada-run-{time.strftime('%Y%m%d-%H%M%S')}")
    todo = Work(folder, settings, Budget(sessions=asked.sessions, usd_micros=round(asked.dollars * 1_000_000)))
    if todo.session is None:
        if not asked.title:
            raise Invalid("TITLE", f"missing: {folder} holds no task to go on with")
        context = [File(name=path.name, content=path.read_bytes()) for path in asked.context]
        todo.begin(asked.title, asked.description, context)
    _say(f"working in {folder}; at most ${asked.dollars:.2f}, {asked.sessions} sessions of {settings.turns} turns")
    with tempfile.TemporaryDirectory() as credentials:
        kept = Path(credentials) / "anthropic_api_key"
        kept.touch(mode=0o600)
        kept.write_text(key, encoding="utf-8")
        if asked.egress_secrets:
            tokens = Path(credentials) / "egress_secrets"
            tokens.touch(mode=0o600)
            tokens.write_bytes(asked.egress_secrets.read_bytes())
        return work(todo, settings, Path(credentials))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
