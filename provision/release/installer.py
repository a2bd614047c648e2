"""The installer on a host, as the operator meets it: started once, followed by what it writes, found again when the
connection breaks. Only its file is believed.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from provision.errors import CommandError
from provision.progress import Progress
from provision.reach import programs
from provision.reach.connection import ConnectionLost, Host

INTERRUPTED = 130
"""128 and SIGINT's number: the exit code that shells know for it."""
SILENCE_S = 15.0
"""The host says every 5 s that it is there; a connection that is silent for this long is dead."""
WATCHED = "deployed; the host watches it until it is proven"
PAUSE_S = 2.0
"""Between two tries to log in again."""
QUESTION = "{name}: the host goes on by itself. [l]eave it to that (Enter), [f]ollow it again, or [u]ndo it there? "
LEAVE, FOLLOW, UNDO = "l", "f", "u"
"""What an operator may answer to Ctrl-C."""


@dataclass(frozen=True, slots=True)
class Errand:
    """How a deploy is carried out: `run`, its name on the host; `who` began it; `detach`: don't wait for its end;
    `again` logs in once more when the connection breaks, for at most `again_s`. `proven`: wait until that, not only
    until it is deployed. `ask` puts a question to the operator who sits at a terminal.
    """

    run: str = ""
    who: str = ""
    detach: bool = False
    again: Callable[[], AbstractContextManager[Host]] | None = None
    again_s: float = 120.0
    proven: bool = False
    ask: Callable[[str], str] | None = None


@dataclass(slots=True)
class Place:
    """A run, and how far its events were shown."""

    run: str | None
    offset: int = 0


class Interrupted(CommandError):
    """Ctrl-C: what goes on without the operator, or that nothing was begun."""

    status = INTERRUPTED


@contextmanager
def before_the_start(name: str) -> Iterator[None]:
    """Say, where Ctrl-C ends the block, that nothing was begun on the host."""
    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted(
            f"{name}: stopped before anything was changed there",
            "deploy again; what was uploaded is used, or tidied up",
        ) from None


def start(host: Host, orders: dict[str, Any], errand: Errand) -> str:
    """Start the installer and return the name of its run; raises `CommandError` where another one is at work."""
    run = errand.run or new_run()
    asked = {"run": run, "orders": {**orders, "who": errand.who}}
    try:
        answer = host.program("start", asked)
    except KeyboardInterrupt:
        raise Interrupted(
            f"{host.name}: the installer may have begun; where it did, it goes on by itself on the host",
            "`fab attach` says which, and follows it",
        ) from None
    except ConnectionLost:
        # Whether it arrived is not known; under the same name it is not started twice.
        with _again(host.name, errand, Progress(aside=True)) as found:
            answer = found.program("start", asked)
    if "refused" in answer:
        raise CommandError(
            f"{host.name}: {answer['refused']}",
            "`fab attach` follows the one that is at work, if one is; then deploy again",
        )
    return str(answer["run"])


def new_run(clock_ns: Callable[[], int] = time.time_ns) -> str:
    """Return a name for a run that no other has; names sort by time."""
    # Read once: of two readings around a second's end, the name would be that of a second ago.
    seconds, rest = divmod(clock_ns(), 10**9)
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(seconds)) + f"-{rest:09d}"


def follow(host: Host, run: str | None, progress: Progress, errand: Errand, *, until_deployed: bool) -> str:
    """Show a run's steps (None: the latest one's) and return its last word, in a sentence's end; raises `CommandError`.

    Ctrl-C ends only the following: an operator who can be asked may have the host undo the run.
    """
    place, undo = Place(run), False
    while True:
        try:
            until = until_deployed and not undo
            last = show_steps(events(host, place, progress, errand, until_deployed=until), progress)
            return _undone(host.name, last) if undo else word(host.name, last)
        except KeyboardInterrupt:
            answer = _answer(host.name, errand)
            if answer == LEAVE or place.run is None:
                does = "undoes it" if undo else "goes on"
                raise Interrupted(
                    f"{host.name}: the installer {does} by itself on the host", "`fab attach` follows it again"
                ) from None
        if answer == UNDO:
            undo = _cancel(host, place.run, progress, errand)


def _answer(name: str, errand: Errand) -> str:
    """Ask what Ctrl-C is to do; a second one, and no one who could be asked, leave the host to itself."""
    with suppress(KeyboardInterrupt, EOFError):
        while errand.ask is not None:
            answer = errand.ask(QUESTION.format(name=name)).strip().lower()[:1] or LEAVE
            if answer in (LEAVE, FOLLOW, UNDO):
                return answer
    return LEAVE


def _cancel(host: Host, run: str, progress: Progress, errand: Errand) -> bool:
    """Have the host undo a run; False where it has ended already."""
    try:
        answer = host.program("cancel", {"run": run})
    except ConnectionLost:
        with _again(host.name, errand, progress) as found:
            answer = found.program("cancel", {"run": run})
    return bool(answer["stopped"])


def _undone(name: str, last: dict[str, Any]) -> str:
    """Say how a run ended that was to be undone; raises `CommandError`, for nothing was deployed."""
    why = last.get("failed") or last.get("reverted")
    if why:
        raise Interrupted(f"{name}: {why}", "`fab deploy` begins again, whenever you want to")
    raise Interrupted(f"{name}: too late to undo it: {word(name, last)}", "`fab rollback` goes back")


def word(name: str, last: dict[str, Any]) -> str:
    """Say the last event of a run; raises `CommandError` for bad news."""
    if "deployed" in last:
        left = float(last.get("proven_in") or 0)
        watched = f"the host watches it for {left:.0f} s more, until it is proven (`fab attach` waits for that)"
        return f"deployed{_but_for(last)}; {watched}"
    if "proven" in last:
        return f"release {last['proven']} is proven{_but_for(last)}"
    if "finished" in last:
        return "done"
    if "superseded" in last:
        return "deployed, and not proven: a later deploy took over, or the host was shut down"
    why = last.get("failed") or last.get("reverted")
    if why:
        raise CommandError(f"{name}: {why}", "fix the cause and deploy again; nothing else is needed")
    if last.get("ended") == "unknown":
        raise CommandError(f"{name}: no such deploy is known there", "`fab deploy` begins one")
    raise CommandError(
        f"{name}: the installer ended without its last word",
        "`fab status` says what runs; deploy again, nothing else is needed",
    )


def _but_for(last: dict[str, Any]) -> str:
    """What the word does not rest on: a paused unit ran at no time."""
    paused = last.get("paused")
    return f", but for what is paused and did not run: {', '.join(paused)}" if paused else ""


def events(
    host: Host, place: Place, progress: Progress, errand: Errand, *, until_deployed: bool
) -> Iterator[dict[str, Any]]:
    """Yield a run's events from its file on the host, also over a connection that breaks, and how that ended."""
    with ExitStack() as stack:
        while True:
            asked = {"run": place.run, "offset": place.offset, "until_deployed": until_deployed}
            try:
                for line in host.lines(programs.PYTHON, programs.call("follow", asked), SILENCE_S):
                    event = _read(line)
                    if "following" in event:
                        place.run = event["following"]
                    elif "ended" in event:
                        yield event
                        return
                    elif "alive" not in event:
                        place.offset += len(line)
                        yield event if until_deployed or "deployed" not in event else {"note": WATCHED}
            except ConnectionLost as lost:
                progress.say(f"    {lost.cause}. The installer goes on in a unit of its own; logging in again …")
                host = stack.enter_context(_again(host.name, errand, progress))


def show_steps(news: Iterator[dict[str, Any]], progress: Progress) -> dict[str, Any]:
    """Show the installer's steps and notes; return the event that came after them.

    Each {"begin"} is followed by {"done"} or {"broken"}, unless the installer was killed in between; where they are
    followed again, the first step may have begun before.
    """
    event = next(news, {})
    while {"begin", "note", "done", "broken"} & event.keys():
        if "begin" in event:
            event = _show_step(event["begin"], news, progress)
            continue
        if text := event.get("note") or event.get("done"):
            progress.done(text, 0)
        event = next(news, {})
    return event


def _show_step(text: str, news: Iterator[dict[str, Any]], progress: Progress) -> dict[str, Any]:
    """Show a step to its end and return the event after it."""
    after: dict[str, Any] = {}
    with suppress(_StepBroken), progress.step(text):
        after = next(news, {})
        if "done" not in after:
            raise _StepBroken
    return next(news, {}) if "done" in after or "broken" in after else after


class _StepBroken(Exception):
    """A step on the host failed, or was cut off; why comes with its last event."""


def _again(name: str, errand: Errand, progress: Progress) -> AbstractContextManager[Host]:
    """Log in again, for as long as the errand says; raises `CommandError`."""
    stack, until, last = ExitStack(), time.monotonic() + errand.again_s, "it was not tried"
    with progress.step(f"{name}: log in again"):
        while errand.again is not None and time.monotonic() < until:
            try:
                host = stack.enter_context(errand.again())
            except CommandError as error:
                last = error.cause
                time.sleep(PAUSE_S)
            else:
                return _Opened(stack, host)
        raise CommandError(
            f"{name} can't be reached again ({last}). Its installer is a unit of its own: it ends what it began, or "
            "the host undoes it. Which of the two is not known here",
            "`fab attach` says it as soon as the host answers",
        )


@dataclass(frozen=True, slots=True)
class _Opened(AbstractContextManager[Host]):
    """A connection that is open already, and is closed at the end of the block."""

    stack: ExitStack
    host: Host

    def __enter__(self) -> Host:
        return self.host

    def __exit__(self, *_error: object) -> None:
        self.stack.close()


def _read(line: bytes) -> dict[str, Any]:
    try:
        read = json.loads(line)
    except ValueError:  # a line that a power cut tore
        return {"note": "(a line that was cut off)"}
    return read if isinstance(read, dict) else {}
