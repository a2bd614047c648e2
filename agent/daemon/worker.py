"""The daemon: settles what is left behind, claims a task, runs its session, settles it, and begins again.

One step does one unit of work and says whether there was any. Signals set a flag that is looked at between the parts
of a step. A step may end anywhere by kill -9: the folders of the sessions say what is left to do.
"""

import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from agent.daemon.breaker import Breaker
from agent.daemon.claim_key import ClaimKey
from agent.daemon.day import Day
from agent.daemon.lease import Lease, boottime
from agent.daemon.link import PAUSE_S, DashboardAway, Link
from agent.daemon.outbox import STALE, Outbox, Outboxes
from agent.daemon.outcome import UNDRAINED
from agent.daemon.signals import Signals
from agent.daemon.spawn import Child
from agent.daemon.travel import Workspaces
from agent.record import durable
from agent.record.journal import JournalLocked
from agent.settings import SessionSettings, Settings
from wire.client import RequestRefused
from wire.routes import ClaimWord
from wire.systemd import Notify
from wire.types import Claim, ClaimRequest, Exit, Heartbeat, Presence, SessionEnd

TICK_S = 1.0
"""Seconds between two looks at a running session; its end is seen at once, by SIGCHLD."""
ANSWERED = {True: "the queue answered;", False: "the queue has not answered;"}
"""How each status begins, by whether it did: a deploy waits for the one, which provision/onhost/units.py knows."""
HELD_BACK_S = 10.0
"""Seconds after which records go to the queue without an answer of the model behind them: a long call is seen."""
DRAIN_S = 12.0
"""Seconds that a session has to drain: its request in flight gets 8 of them."""
OVERTIME_S = 120.0
"""Seconds past its wall time after which a session is ended from here: by itself it ends between two steps, and one
that hangs or was stopped would hold the worker for ever.
"""
SWEEP_S = 86_400.0
"""Seconds between two looks for what is left of tasks that went on without this host."""

LOUD = {Exit.FAULT: logging.ERROR, Exit.UNAVAILABLE: logging.WARNING}
"""Endings that are told with more than the usual level: an audit counts the journal's lines by it."""
log = logging.getLogger(__name__)


class _DayFull(Exception):
    """A session meets a day without dollars, or one that has not begun a day without sessions."""


class _Cancelled(Exception):
    """The task was cancelled."""


@dataclass(kw_only=True)
class Daemon:
    """The worker of one host. `spawn` starts the session whose folder it is given; `clock` is a time in seconds that
    only goes on; `watchdog_s` is how often systemd wants to hear from it, at most; `unproven` says whether the release
    that it runs from is still to be proven.
    """

    settings: Settings
    workspaces: Workspaces
    outboxes: Outboxes
    link: Link
    day: Day
    claim_key: ClaimKey
    breaker: Breaker
    signals: Signals
    notify: Notify
    spawn: Callable[[Path], Child]
    host: str
    clock: Callable[[], float] = boottime
    watchdog_s: float = 10.0
    unproven: Callable[[], bool] = lambda: False
    _last_warning: str = ""
    _sweep_at: float = 0.0
    _answered: bool = False
    """Whether the queue answered the last time that it was asked."""
    _recalled: bool = False
    """Whether the queue said what it knows of this host's day."""
    _has_trouble: bool | None = None
    """Whether the dashboard was told that this host can't work; None: not yet asked of it."""

    def run(self) -> None:
        """Work until a signal asks to stop."""
        self.notify.ready()
        while not self.signals.stop:
            if not self.step():
                self._rest()
        self.notify.stopping()

    def step(self) -> bool:
        """Do one unit of work, if there is one; return whether there was."""
        unproven = self.unproven()
        self._say("nothing is taken until this release is proven" if unproven else "looking for work")
        # Before any claim: what a killed daemon left must be reported before its session can go on.
        left = next(self.outboxes.unsettled(), None)
        if left is not None:
            return self._settle(left)
        try:
            did = self._poll() if unproven else self._work()
        except DashboardAway:
            self._answered = False
            return False
        except RequestRefused as error:
            self._answered = False
            # A release that is still to be proven goes back by this.
            if unproven:
                raise
            self._refused(error)
            return False
        self._answered = True
        return did

    def _refused(self, error: RequestRefused) -> None:
        """Claim nothing for a while: a worker that ended here would be refused again after each start, untold."""
        why = f"the queue refuses what this worker asks for: {error}"
        log.error("%s", why)
        self.breaker.open(f"{why}. They may be of two releases: `fab deploy` makes them one again")

    def _say(self, what: str) -> None:
        """Tell systemd that the worker lives, whether the queue answered, and what it does."""
        self.notify.alive(f"{ANSWERED[self._answered]} {what}")

    def _poll(self) -> bool:
        """Ask the queue without taking anything."""
        self.link(lambda client: client.present(Presence(host=self.host)))
        return False

    def _work(self) -> bool:
        # Before the request, so that our reckoning of the lease ends before the store's.
        sent_at = self.clock()
        claim = self._claim()
        if claim is None:
            return False
        lease = Lease(claim.lease.fence, claim.lease.ttl_s, sent_at)
        log.info("task %s, session %s, fence %d: claimed", claim.task.id, claim.session.id, lease.fence)
        outbox = self._prepare(claim)
        if outbox is None:
            return False
        return self._run_session(lease, outbox) and self._settle(outbox)

    def _claim(self) -> Claim | None:
        if not self.breaker.may_claim():
            self._warn_once(f"nothing is claimed: {self.breaker.trouble}")
            self._say_present()
            return None
        if self._has_trouble is None:
            self._say_present()
        used = self.day.used
        # Not even a suspended session: it could only end at once, and would cost the user's attention each time.
        if used.spent >= self._usd_micros_per_day:
            self._warn_once(
                f"the day's ${self.settings.usd_per_day:.2f} are spent: nothing is claimed until midnight UTC"
            )
            self._say_present()
            return None
        full = len(used.sessions) >= self.settings.sessions_per_day
        if full:
            self._warn_once(f"{len(used.sessions)} sessions began today, the limit: only suspended ones go on")
        request = ClaimRequest(host=self.host, suspended_only=full)
        try:
            claim = self._claim_once(request)
        except RequestRefused as error:
            if error.problem.status != STALE:
                raise
            log.info("what was asked for under the last claim's key is over, or never was: a new key is taken")
            self.claim_key.used()
            claim = self._claim_once(request)
        # Only now: that it claims again is true once a claim was answered.
        if not self.breaker.lasting:
            self._say_over()
        if claim is None:
            self.claim_key.unused()
        elif claim.day:
            self.day.learn(claim.day)
            self._recalled = True
        return claim

    def _claim_once(self, request: ClaimRequest) -> Claim | None:
        # On disk before it is sent: what was claimed under it is found again after any kill.
        key, was_sent = self.claim_key()
        words = [ClaimWord.AGAIN] if was_sent else []
        # After a start, and when state.json was lost since: the day's use is not. An earlier dashboard does not say.
        if not (self._recalled and self.day.is_kept):
            words.append(ClaimWord.DAY)
        return self.link(lambda client: client.claim(request, key=key, words=words))

    def _say_present(self) -> None:
        """Let the dashboard know that the worker lives, and what keeps it from its work once that lasts; a dashboard of
        an earlier release takes no trouble, or has no route for it.
        """
        trouble = self.breaker.lasting
        for said in dict.fromkeys((Presence(host=self.host, trouble=trouble), Presence(host=self.host))):
            with contextlib.suppress(RequestRefused):
                self._present(said)
                break
        self._has_trouble = trouble is not None

    def _say_over(self) -> None:
        """Let the dashboard know that nothing keeps the worker from its work any more, if it was told that something
        does.
        """
        if self._has_trouble:
            with contextlib.suppress(DashboardAway):
                self._say_present()

    def _present(self, presence: Presence) -> None:
        self.link(lambda client: client.present(presence))

    def _prepare(self, claim: Claim) -> Outbox | None:
        """Write down what the session needs; None when this host can't work on it now, which the dashboard is told."""
        try:
            outbox = self._write_folder(claim)
        except OSError as error:
            log.error("task %s can't be worked on here: %s", claim.task.id, error)  # noqa: TRY400 - its text says it all
            self.breaker.open(f"{self.host} can't write what a session needs: {error}")
            self._give_back(claim, f"{self.host} can't work on it: {error}")
        except _DayFull as error:
            self._give_back(claim, str(error), not_before=self.day.next)
        else:
            self.claim_key.used()
            return outbox
        return None

    def _give_back(self, claim: Claim, reason: str, not_before: str | None = None) -> None:
        """Let go of a claim whose session did not begin: it stays the task's, and goes on at a later claim."""
        end = SessionEnd(fence=claim.lease.fence, exit=Exit.UNAVAILABLE, reason=reason, not_before=not_before)
        self.link(lambda client: client.end(claim.session.id, end))
        with contextlib.suppress(OSError):  # the same key again gives another claim, now that this one has ended
            self.claim_key.used()

    def _write_folder(self, claim: Claim) -> Outbox:
        outbox = self.outboxes.for_session(claim.session.id)
        if not claim.session.new:
            outbox.restore(claim.lease.fence)
        # What was learned with the claim: it would end at once, and cost the user's attention.
        if self.day.used.spent >= self._usd_micros_per_day:
            raise _DayFull("the day's dollars are spent: it waits for the next day")
        # Counted before anything is written: a kill from here on may cost a session, but never gives one too many.
        if outbox.is_empty and not self.day.knows(claim.session.id):
            if len(self.day.used.sessions) >= self.settings.sessions_per_day:
                raise _DayFull("the day's sessions are used up, and this one had not begun: it waits for the next day")
            self.day.begin(claim.session.id)
        away = self.workspaces.arrive(
            claim,
            lambda: self.link(lambda client: client.workspace(claim.task.id)),
            began=claim.checkpoint is not None or not outbox.is_empty,
        )
        workspace = self.workspaces.place(claim.task.id).resolve()
        durable.write(outbox.folder / "claim.json", claim)
        money = self._money(claim, outbox.spent())
        settings = SessionSettings(
            operator=self.settings,
            usd_micros=money,
            workspace=str(workspace),
            mirrors=str(workspace.parent.with_name("mirrors")),
            caches=str(workspace.parent.with_name("caches")),
            away=away,
        )
        durable.write(outbox.folder / "settings.json", settings)
        # Last: from here on the folder has an outcome to report, and a claim.json of this fence to go by.
        outbox.open(claim.task.id, claim.lease.fence)
        return outbox

    def _money(self, claim: Claim, spent: int) -> int:
        """Return what the session may have spent in all: what the claim grants, within what is left of the day."""
        return min(claim.session.usd_micros, spent + self._usd_micros_per_day - self.day.used.spent)

    def _run_session(self, lease: Lease, outbox: Outbox) -> bool:
        """Run the session's process to its end; return whether its outcome is still ours to report."""
        try:
            child = self.spawn(outbox.folder)
        except OSError as error:
            outbox.note(stopped=f"it could not be started: {error}")
            return True
        try:
            outbox.note(stopped=self._watch(child, lease, outbox))
        except _Cancelled:
            child.kill()
            outbox.note(stopped="cancelled", cancelled=True)
        except RequestRefused as error:
            child.kill()
            if error.problem.status == STALE:
                self._count(outbox)
                self._set_aside(outbox, error)
                return False
            outbox.note(stopped=f"the dashboard refused its records: {error}")
        return True

    def _watch(self, child: Child, lease: Lease, outbox: Outbox) -> str:
        """Keep the lease and deliver records while the process runs; return how it ended. Raises `_Cancelled`,
        and `RequestRefused` when the fence is stale.
        """
        overdue_at = self.clock() + self.settings.session_minutes * 60 + OVERTIME_S
        send_all_at = self.clock() + HELD_BACK_S
        while (ended := child.ended()) is None:
            if self.clock() >= overdue_at:
                return f"its wall time is long up; {self._drain(child, 'its wall time is long up')}"
            if self.signals.stop:
                return self._drain(child, "the daemon was asked to stop")
            # Another host may have the task by now; drained, the session can go on wherever it is claimed next.
            if lease.lapsed(self.clock()):
                return self._drain(child, "its lease is past, and the dashboard does not answer")
            # No reason to stop: the session works on until its lease is past.
            with contextlib.suppress(DashboardAway):
                lease = self._renewed(lease, outbox.progress.task)
                # Once a turn, when its answer is there; what comes later than that is not held back for long.
                if outbox.deliver(answers_only=self.clock() < send_all_at):
                    send_all_at = self.clock() + HELD_BACK_S
            self._say(f"session {outbox.id} of task {outbox.progress.task}")
            self.signals.wait(TICK_S)
        return ended

    def _renewed(self, lease: Lease, task: str) -> Lease:
        """Heartbeat when it is due."""
        sent_at = self.clock()
        if sent_at < lease.due_at:
            return lease
        beat = self.link(lambda client: client.heartbeat(task, Heartbeat(fence=lease.fence)))
        if beat.cancelled:
            raise _Cancelled
        return lease.renewed(beat.ttl_s, sent_at)

    def _drain(self, child: Child, why: str) -> str:
        """Ask the process to stop, then make it."""
        log.info("draining the session: %s", why)
        child.terminate()
        deadline = self.clock() + DRAIN_S
        while self.clock() < deadline:
            if (ended := child.ended()) is not None:
                return ended
            self._say("draining")
            self.signals.wait(0.2)
        child.kill()
        return UNDRAINED

    def _settle(self, outbox: Outbox) -> bool:
        """Report an outcome; return whether that is done with."""
        self._count(outbox)
        try:
            end = outbox.settle()
        except DashboardAway:
            return False
        except JournalLocked as error:
            log.warning("%s", error)
            return False
        except RequestRefused as error:
            self._set_aside(outbox, error)
            return True
        if end.host_wide:
            self.breaker.open(end.reason, by_session=True)
        elif outbox.got_on():
            self.breaker.close()
            self._say_over()
        if outbox.progress.over:
            self.outboxes.clear(outbox.progress.task)
        log.log(LOUD.get(end.exit, logging.INFO), "session %s: %s", outbox.id, _summary(end))
        return True

    def _count(self, outbox: Outbox) -> None:
        """Count what a session spent: the money is gone whatever the dashboard says to the outcome."""
        progress = outbox.progress
        self.day.spend(outbox.id, progress.fence, outbox.spent() - progress.usd_micros_before)

    def _set_aside(self, outbox: Outbox, error: RequestRefused) -> None:
        log.warning("session %s is not ours any more (%s): kept as %s", outbox.id, error, outbox.set_aside())

    def _sweep(self) -> None:
        """Once a day, while there is nothing else to do, remove what nothing here waits for any more."""
        if self._sweep_at <= self.clock():
            self._sweep_at = self.clock() + SWEEP_S
            with contextlib.suppress(DashboardAway):
                self.outboxes.sweep()

    def _rest(self) -> None:
        """Wait for the next look, with a word to systemd in between."""
        self._sweep()
        waiting = any(self.outboxes.unsettled())
        unproven = self.unproven()
        # Proven, it begins at once.
        until = self.clock() + (PAUSE_S if waiting or unproven else self.settings.poll_seconds)
        used = self.day.used
        sessions = f"{len(used.sessions)} of {self.settings.sessions_per_day} sessions"
        status = f"idle; today {sessions}, ${used.spent / 1e6:.2f}"
        while not self.signals.stop and (left := until - self.clock()) > 0:
            self._say("nothing is taken until this release is proven" if unproven else status)
            self.signals.wait(min(left, self.watchdog_s))

    def _warn_once(self, what: str) -> None:
        """Log what stays true for hours, once."""
        if what != self._last_warning:
            self._last_warning = what
            log.warning("%s", what)

    @property
    def _usd_micros_per_day(self) -> int:
        return round(self.settings.usd_per_day * 1_000_000)


def _summary(end: SessionEnd) -> str:
    """Return an end as a line of the log, without the words of model or user that some reasons are."""
    summary = f"exit {int(end.exit)} after {end.turns} turns, ${end.usd_micros / 1e6:.4f}"
    return summary if end.exit in (Exit.FINISHED, Exit.ASKED, Exit.STUCK) else f"{summary}. {end.reason}"
