"""`python -m agent.session DIR`: work on one session's task until it ends, and exit with how it ended.

DIR holds `claim.json`, `settings.json` and, from the first run on, the journal. The key for the API is the file
`anthropic_api_key` in $CREDENTIALS_DIRECTORY.
"""

import contextlib
import ctypes
import errno
import gc
import os
import random
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from msgspec import structs

from agent.record import limits, media, price_file
from agent.record.blobs import Blobs
from agent.record.journal import Journal, JournalDamaged, JournalLocked
from agent.record.times import rfc3339
from agent.sandbox.command import Mounts
from agent.sandbox.egress.proxy import Proxy, rules
from agent.sandbox.run import Sandbox, SandboxUnavailable
from agent.session import briefing, checkpoint, endings, request, subtasks
from agent.session.drain import Drain
from agent.session.endings import Drained, Ending, Fault, Unavailable
from agent.session.loop import Asks, Session
from agent.session.retries import Retries, in_vain
from agent.settings import SessionSettings, Settings
from agent.tools import catalog, opened, repositories, viewing
from agent.tools.result import CallFailed
from wire.secret import Secret
from wire.terminal import printable
from wire.types import Claim, EventKind, Exit, File
from wire.values import Invalid, encode, read

_PR_SET_PDEATHSIG = 1
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
_AT_ONCE = 25_000
"""Tokens of a task's images and documents that are in every request from the first on."""
T = TypeVar("T")


def main(arguments: list[str]) -> int:
    """Run a session; returns the exit code."""
    if len(arguments) != 1:
        return _fail("usage: python -m agent.session SESSION_DIR")
    # No session outlives its daemon: prctl(2). Not inherited by what the session starts.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    os.umask(0o077)
    drain = Drain(time.monotonic)
    # Before the journal is opened: by default SIGTERM would end the process without a last record.
    drain.install()
    folder = Path(arguments[0])
    try:
        with Journal(folder / "journal.jsonl", time.time) as journal:
            return _to_the_end(folder, journal, drain)
    except (JournalLocked, JournalDamaged, OSError) as error:
        _fail(f"the session can't be journalled: {error}")
        # Without room there is no last record either: only the exit code says that it is the host's fault.
        return int(Exit.UNAVAILABLE if isinstance(error, OSError) and error.errno in _NO_ROOM else Exit.FAULT)


def _to_the_end(folder: Path, journal: Journal, drain: Drain) -> int:
    """Work, and put the ending on record; one that is on record already is only reported again."""
    if journal.events and journal.events[-1].kind is EventKind.END:
        return int(journal.events[-1].data["exit"])
    try:
        _session(folder, journal, drain).run()
    except Ending as ending:
        last = ending
    except (SandboxUnavailable, Invalid) as error:
        # One that could not be made within a drain's grace says nothing of its host.
        last = Drained(f"asked to stop while it started: {error}") if drain.requested else _of_the_host(str(error))
    except Exception as error:  # noqa: BLE001 - a defect is a fault on record, not a session without an end
        if isinstance(error, OSError) and error.errno in _NO_ROOM:
            last = _of_the_host(f"{error}: make room on the host")
        else:
            sys.stderr.write(printable(traceback.format_exc(), keep_newlines=True))
            last = Fault(f"a defect in the session: {error!r}")
    journal.append(*endings.record(last, limits.spent(journal.events)))
    return int(last.exit)


def _of_the_host(reason: str) -> Unavailable:
    """Return the ending by a fault of the host, which no task is to fail for."""
    later = rfc3339(time.time() + Retries.KEY_LATER_S)
    return Unavailable(f"{reason}; the task waits", not_before=later, host_wide=True)


def _session(folder: Path, journal: Journal, drain: Drain, clock: Callable[[], float] = time.monotonic) -> Session:
    """Put a session together from its folder; a new one gets its header and first message."""
    claim, settings = _read(Claim, folder / "claim.json"), _read(SessionSettings, folder / "settings.json")
    operator, workspace = settings.operator, Path(settings.workspace)
    # Wall time is each process's own; turns and dollars are counted over the whole session.
    ends = clock() + operator.session_minutes * 60
    mirrors = Path(settings.mirrors)
    known = opened.Opened(workspace, mirrors, Path(settings.caches), operator.repositories)
    _begin(journal, claim, operator, workspace)
    header = request.header(journal.events)
    if drain.requested:
        raise Drained("asked to stop while it started; goes on later")
    budget = limits.Limits(**header["limits"], usd_micros=settings.usd_micros, max_tokens=header["max_tokens"])
    prices = price_file.load(Path(operator.prices) if operator.prices else None, header["model"])
    until = partial(_until, ends, drain)
    wanted = rules(operator)
    proxy = Proxy(wanted, os.environ) if wanted else None
    if operator.repositories:
        mirrors.mkdir(mode=0o700, parents=True, exist_ok=True)
    sandbox = Sandbox(
        workspace,
        operator.tools,
        clock,
        until,
        proxy=proxy,
        shown=_shown(operator),
        mounts=known.mounts if operator.repositories else Mounts,
    )
    copies = repositories.Repositories(
        sandbox,
        operator.repositories,
        mirrors,
        claim.task.id,
        known.open,
        lambda folder: Sandbox(folder, repositories.patient(operator.tools), clock, until, proxy=proxy),
    )
    blobs = Blobs(folder / "blobs")
    viewer = viewing.Viewer(
        sandbox, blobs, lambda one: limits.no_room(journal.events, one, budget, prices, header["model"])
    )
    _first_message(journal, claim, operator.turns, viewer)
    _take_answers(journal, claim)
    _take_subtasks(journal, claim)
    _take_notes(journal, claim)
    _tell_what_is_away(journal, settings.away)
    # All files of the claim are in the workspace by now, and need not be in memory as well.
    claim = structs.replace(claim, context=(), waited=None)
    sandbox.prepare()
    return Session(
        journal=journal,
        api=_api(operator.claude_url, _key(), drain, blobs.find),
        tools=catalog.Toolbox(
            sandbox,
            folder,
            claim,
            lambda: budget.usd_micros - limits.spent(journal.events).usd_micros,
            copies if operator.repositories else None,
            viewer,
        ),
        limits=budget,
        prices=prices,
        retries=Retries(random.SystemRandom().random, time.time, in_vain(journal.events)),
        drain=drain,
        clock=clock,
        ends=ends,
    )


def _shown(settings: Settings) -> dict[str, Path]:
    """Return the folders besides the workspace that tools may read: path inside → path here."""
    shown = viewing.library()
    if settings.reference:
        shown["/reference"] = Path(settings.reference)
        if not shown["/reference"].is_dir():
            raise SandboxUnavailable(f"agent.reference: {settings.reference} is no folder on this host: put it there")
    return shown


def _until(ends: float, drain: Drain) -> float:
    return min(ends, drain.until())


def _api(url: str, key: Secret, drain: Drain, kept: Callable[[str], Path | None]) -> Asks:
    """Import the SDK last: what can't start, or is over, says so without its second and its 76 MB."""
    # Half of that second went into looking for rings among its thousands of classes, which stay; at the end once more.
    gc.disable()
    from agent.session.api import Api  # noqa: PLC0415 - as the docstring says

    gc.freeze()
    gc.enable()
    return Api(url, key, drain, time.monotonic, kept)


def _begin(journal: Journal, claim: Claim, settings: Settings, workspace: Path) -> None:
    """Lay out the workspace, and write what pins the session for its life, once."""
    briefing.lay_out(claim.context, workspace)
    briefing.lay_out([*subtasks.files(claim), *briefing.people(claim)], workspace)
    if not any(event.kind is EventKind.HEADER for event in journal.events):
        header = {
            "task": {"id": claim.task.id, "title": claim.task.title},
            "model": settings.model,
            "system": briefing.system(settings, briefing.present(settings.packages)),
            "tools": catalog.definitions(settings, can_wait=claim.can_wait),
            "max_tokens": settings.max_tokens,
            **_modes(settings),
            "limits": {"turns": settings.turns, "hand_over_tokens": settings.hand_over_tokens},
        }
        journal.append(EventKind.HEADER, header)


def _first_message(journal: Journal, claim: Claim, turns: int, viewer: viewing.Viewer) -> None:
    """Write what the model reads and sees first, once."""
    if any(event.kind is EventKind.MESSAGE for event in journal.events):
        return
    today = rfc3339(time.time()).partition("T")[0]
    # A later session reads in its checkpoint what was seen, and looks again where it has to.
    shown = [] if claim.checkpoint else _seen_at_once(claim.context, viewer)
    said: dict[str, Any] = {
        "content": briefing.first_message(claim, today, turns, [media.caption(one) for one in shown])
    }
    if shown:
        said["shown"] = shown
    if claim.checkpoint:
        # Whole: the message has a part of it, and the next session is to have all.
        said["people"] = checkpoint.parted(claim.checkpoint)[0]
    journal.append(EventKind.MESSAGE, said)


def _seen_at_once(context: Sequence[File], viewer: viewing.Viewer) -> list[media.Block]:
    """Return the images and documents of a task that its model sees from the start: the first ones, as far as they
    leave most of the session's room.
    """
    shown: list[media.Block] = []
    for file in context:
        if media.kind(file.content):
            # What is wrong with one, the model reads when it looks at it.
            with contextlib.suppress(CallFailed):
                one = viewer.keep(file.name)
                if media.total([*shown, one], "usual") <= _AT_ONCE:
                    shown.append(one)
    return shown


def _modes(settings: Settings) -> dict[str, Any]:
    """Return the parameters of effort and thinking; what is not set is not sent."""
    thinking: dict[str, Any] | None = None
    if isinstance(settings.thinking, int):
        thinking = {"type": "enabled", "budget_tokens": settings.thinking}
    elif settings.thinking:
        thinking = {"type": settings.thinking}
    effort = {"effort": settings.effort} if settings.effort else None
    return {name: value for name, value in (("thinking", thinking), ("output_config", effort)) if value}


def _take_answers(journal: Journal, claim: Claim) -> None:
    """Journal what the user answered, as the result of the open question; earlier answers are passed over."""
    answer = request.last_answer(journal.events)
    waiting = {call.id for call in answer.open_calls if call.name == "ask_person"} if answer else set()
    for given in claim.answers:
        if given.tool_use_id in waiting:
            journal.append(EventKind.ANSWER, encode(given))


def _take_subtasks(journal: Journal, claim: Claim) -> None:
    """Journal what became of the subtasks that the open call waits for, as its result; what an earlier call waited for
    has its own.
    """
    answer = request.last_answer(journal.events)
    waiting = {call.id for call in answer.open_calls} if answer else set()
    if claim.waited and claim.waited.tool_use_id in waiting:
        said = {"tool_use_id": claim.waited.tool_use_id, "content": subtasks.report(claim.waited), "is_error": False}
        journal.append(EventKind.TOOL_RESULT, said)


def _take_notes(journal: Journal, claim: Claim) -> None:
    """Journal what the user said to a session that waited without a question; a claim repeats what was said before."""
    taken = sum(event.data.get("note", False) for event in journal.events if event.kind is EventKind.MESSAGE)
    for note in claim.notes[taken:]:
        text = f"[A person answers what you stopped at:]\n{note}"
        journal.append(EventKind.MESSAGE, {"content": [{"type": "text", "text": text}], "note": True})


def _tell_what_is_away(journal: Journal, away: Sequence[str]) -> None:
    """Journal what of the workspace did not come along to this host, once for each time that it moved."""
    if not away:
        return
    text = "[jada: this task goes on on another host. Not in /workspace any more:\n- " + "\n- ".join(away) + "]"
    said = {"content": [{"type": "text", "text": text}], "away": True}
    if not any(event.data.get("away") and event.data["content"] == said["content"] for event in journal.events):
        journal.append(EventKind.MESSAGE, said)


def _key() -> Secret:
    path = Path(os.environ.get("CREDENTIALS_DIRECTORY", "/nonexistent")) / "anthropic_api_key"
    try:
        return Secret(path.read_text("utf-8").strip())
    except OSError as error:
        raise _of_the_host(f"no key for Claude's API at {path}: put one in place with `fab secrets`") from error


def _read(cls: type[T], path: Path) -> T:
    try:
        return read(cls, path.read_bytes(), path.name)
    except (OSError, ValueError) as error:
        raise Fault(f"{path} can't be used: {error}") from error


def _fail(message: str) -> int:
    sys.stderr.write(printable(message) + "\n")
    return int(Exit.FAULT)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
