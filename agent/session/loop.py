"""A session's loop: act on the last answer, ask for the next, each step in the journal before it is taken.

Every step is decided from the journal only, so a process that was killed is continued by starting the loop again.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, NoReturn, Protocol

from agent.record import limits
from agent.record.journal import Journal
from agent.record.limits import Limits
from agent.record.prices import Prices
from agent.session import checkpoint, request, subtasks
from agent.session.drain import Drain
from agent.session.endings import Asked, AwaitsSubtasks, Drained, Finished, HandedOver, OutOfBudget, Stuck
from agent.session.received import UNREADABLE
from agent.session.request import Answer, Block, Call
from agent.session.retries import Cut, Rejected, Retries
from agent.tools import people
from agent.tools.catalog import PAUSES, REPEATABLE, Toolbox, refusal
from agent.tools.result import Result
from wire.types import EventKind
from wire.values import Invalid

INTERRUPTED = "interrupted, outcome unknown: it may have run in part or in full; look before you run it again"
_CUT_OFF = "not run: the answer was cut off at its limit of tokens; answer in smaller steps"
_GO_ON = "[jada: your answer held no call. Go on with the task; end it with finish, or ask with ask_person.]"
_OUTCOMES = {"partly": "Partly done", "not_possible": "Not possible"}
_NUDGES = 2
"""After the third answer without a call the next one would cost a turn and say the same."""


class Asks(Protocol):
    """The model, as the loop knows it: `agent.session.api.Api`."""

    def ask(self, parameters: dict[str, Any], arrived: Callable[[list[Block]], None]) -> Block:
        """Return the whole answer; raises `Rejected`, `Cut` or `Drained`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One session at work. `clock` is a monotonic time in seconds, `ends` the time on it at which wall time is up."""

    journal: Journal
    api: Asks
    tools: Toolbox
    limits: Limits
    prices: Prices
    retries: Retries
    drain: Drain
    clock: Callable[[], float]
    ends: float

    def run(self) -> NoReturn:
        """Work until an `Ending` is raised."""
        while True:
            answer = request.last_answer(self.journal.events)
            if answer and answer.hand_over:
                self._hand_over(answer)
            if answer:
                self._act(answer)
            self._ask()

    def _act(self, answer: Answer) -> None:
        """Give every call of an answer its result, in order; what suspends the session waits for the others'."""
        if answer.message["stop_reason"] == "refusal":
            return self._after_refusal(answer)
        if answer.message["stop_reason"] == "model_context_window_exceeded":
            raise HandedOver("the context window is full", checkpoint=checkpoint.from_journal(self.journal.events))
        pause = None
        for call in answer.open_calls:
            if call.name in PAUSES and not _refused(answer, call):
                pause = call
            else:
                self._record(call, self._result(answer, call), last=call == answer.open_calls[-1])
        if pause:
            self._pause(pause)
        self._end_if_finished()
        if not answer.calls and not answer.followed:
            self._nudge()
        return None

    def _result(self, answer: Answer, call: Call) -> Result:
        """Run a call, unless it may not run, or a process died while it ran."""
        if no := _refused(answer, call):
            return Result(no, is_error=True)
        if call.id in answer.started and call.name not in REPEATABLE:
            return Result(INTERRUPTED, is_error=True)
        self._go_on()
        if call.id not in answer.started:
            # Before it runs: without this record a killed process would run it again.
            started = {"tool_use_id": call.id, "name": call.name, "input": call.input}
            self.journal.append(EventKind.TOOL_STARTED, started)
        return self.tools.run(call.id, call.name, call.input)

    def _pause(self, call: Call) -> None:
        """Suspend the session at a call that is answered from outside; one that waits for nothing has its result."""
        if call.name == "ask_person":
            question = call.input["question"]
            raise Asked(question, question={"tool_use_id": call.id, "text": question})
        try:
            tasks = subtasks.awaited(self.journal.events, call.id, people.waited_for(call.input))
        except Invalid as error:
            return self._record(call, Result(str(error), is_error=True), last=True)
        several = "a subtask" if len(tasks) == 1 else f"{len(tasks)} subtasks"
        raise AwaitsSubtasks(f"waits for {several}", wait={"tool_use_id": call.id, "tasks": tasks})

    def _record(self, call: Call, result: Result, *, last: bool) -> None:
        notice = limits.notice(self.journal.events, self.limits) if last else ""
        # The API answers 400 to an error result without words.
        room = limits.room(self.journal.events)
        content = result.content if room == math.inf else request.cut(result.content, int(room))
        said = (content or "(no output)") + notice
        record = {"content": said, "is_error": result.is_error, **result.carries}
        # Nothing happens behind it before the next record, which its fsync is shared with.
        self.journal.append(EventKind.TOOL_RESULT, {"tool_use_id": call.id, **record}, sync=False)

    def _end_if_finished(self) -> None:
        answer = request.last_answer(self.journal.events)
        for result in answer.results.values() if answer else ():
            if "finished" in result:
                self._finished(result["finished"], followed=bool(answer and answer.followed))

    def _finished(self, finished: dict[str, Any], *, followed: bool) -> None:
        """End as the model's own outcome says: only what it calls done is done, the rest comes to a user, whose
        words let the session go on.
        """
        handed = {name: finished[name] for name in ("result", "files")}
        # A session of an earlier release could only be done.
        outcome = finished.get("outcome", "done")
        if outcome == "done":
            raise Finished("finished", **handed)
        if not followed:
            needed = f" What would be needed: {finished['needed']}" if finished.get("needed") else ""
            raise Stuck(f"{_OUTCOMES[outcome]}: {finished['result'][:2000]}{needed[:2000]}", **handed)

    def _hand_over(self, answer: Answer) -> NoReturn:
        """End the session by its last answer: a finish in it counts, no other call is run."""
        for call in answer.open_calls:
            if call.name == "finish":
                self._record(call, self._result(answer, call), last=False)
        self._end_if_finished()
        raise HandedOver(
            f"handed over after {answer.turn} turns", checkpoint=checkpoint.from_answer(answer, self.journal.events)
        )

    def _after_refusal(self, answer: Answer) -> None:
        """A refusal ends the process; a user who lets the session go on lets it ask once more."""
        if not answer.suspended:
            details = answer.message.get("stop_details") or {}
            raise Stuck(f"the model refused ({details.get('category') or 'no category given'}): {answer.text[:500]}")

    def _nudge(self) -> None:
        """Ask a model that called nothing to go on; after the second time in vain it is stuck."""
        since = takewhile(lambda event: event.kind is not EventKind.SUSPEND, reversed(self.journal.events))
        if sum(event.data.get("nudge", False) for event in since) >= _NUDGES:
            raise Stuck("the model stopped without finishing, and stopped again each time it was asked to go on")
        content = [{"type": "text", "text": _GO_ON}]
        self.journal.append(EventKind.MESSAGE, {"content": content, "nudge": True})

    def _ask(self) -> None:
        """Reserve a turn and its worst price, ask, settle or refund."""
        self._go_on()
        turn, hand_over = limits.spent(self.journal.events).turns + 1, self._hand_over_asked()
        if turn > self.limits.turns:  # the hand-over was asked for, and its answer was cut: its turn is gone
            lost = "no turn is left, and the last one's answer was lost"
            raise HandedOver(lost, checkpoint=checkpoint.from_journal(self.journal.events))
        parameters = request.parameters(self.journal.events)
        worst = self._affordable(parameters, hand_over=hand_over)
        # Before the request: a process that dies while it is under way must find the turn and its price counted.
        self.journal.append(EventKind.RESERVE, {"turn": turn, "usd_micros": worst, "hand_over": hand_over})
        try:
            message = self.api.ask(parameters, self._arrived)
        except Rejected as error:
            refund = {"turn": turn, "status": error.status, "reason": error.reason}
            self.journal.append(EventKind.REFUND, refund)
            if error.of_conversation:
                self._refused_conversation(error)
            self.drain.sleep(self.retries.after(error))
        except Cut as error:
            self._cut(turn, worst, error)
        else:
            self._settle(turn, message)

    def _refused_conversation(self, error: Rejected) -> NoReturn:
        """Hand over from the journal, once: a fresh conversation may be taken where this one is refused for ever."""
        why = f"the API refuses the conversation: {error.status} {error.reason[:500]}"
        events = self.journal.events
        if request.last_answer(events) is None or checkpoint.follows_refusal(events):
            raise Stuck(f"{why}. It is not the conversation's past: read the journal, and correct task or settings")
        raise HandedOver(why, checkpoint=checkpoint.from_journal(events, refused=True))

    def _cut(self, turn: int, worst: int, error: Cut) -> None:
        """Keep the turn, and what it can have cost: at worst what was reserved."""
        data: dict[str, Any] = {"turn": turn, "reason": str(error)}
        if error.usage:
            model = request.header(self.journal.events)["model"]
            data |= {"usage": error.usage, "usd_micros": min(self.prices.cost(model, error.usage), worst)}
        self.journal.append(EventKind.CUT, data)
        if self.drain.requested:
            raise Drained("drained in the middle of a request") from error
        self.drain.sleep(self.retries.after(error))

    def _settle(self, turn: int, message: dict[str, Any]) -> None:
        message = request.with_own_ids(message, self.journal.events)
        # Kept apart: the message is sent back as it is, and the API takes no usage in one.
        usage = message.pop("usage")
        price = self.prices.cost(request.header(self.journal.events)["model"], usage)
        settled = {"turn": turn, "message": message, "usage": usage, "usd_micros": price}
        # As for a result: no call of this answer starts before its own record is on disk, and this one with it.
        self.journal.append(EventKind.SETTLE, settled, sync=False)
        self.retries.succeeded()

    def _arrived(self, batch: list[dict[str, Any]]) -> None:
        self.journal.append(EventKind.STREAM, {"events": batch})

    def _hand_over_asked(self) -> bool:
        """Whether the next request hands over; the words that ask for it are journalled once."""
        events = self.journal.events
        if any(event.data.get("hand_over") for event in events if event.kind is EventKind.MESSAGE):
            return True
        if due := limits.hand_over_due(events, self.limits):
            self.journal.append(EventKind.MESSAGE, {"content": [checkpoint.ASK], "hand_over": True})
        return due

    def _affordable(self, parameters: dict[str, Any], *, hand_over: bool) -> int:
        """Return the worst price of the next request. Without the money for it, and for the hand-over that may have
        to follow, the session waits for the user; without the money for the hand-over itself it does without.
        """
        events, model = self.journal.events, parameters["model"]
        spent, left = limits.spent(events).usd_micros, self.limits.usd_micros
        new, whole = request.size(parameters["messages"][-1]), request.size(parameters)
        prompt = limits.bound(events, new, whole)
        worst = limits.price(self.prices, model, prompt, self.limits)
        after = 0 if hand_over else limits.kept_back(self.prices, model, prompt, self.limits)
        if spent + worst + after <= left:
            return worst
        if hand_over:
            raise HandedOver("no money is left to hand over", checkpoint=checkpoint.from_journal(events))
        raise OutOfBudget(
            f"{_usd(spent)} of {_usd(left)} are spent; the next turn may cost {_usd(worst)} and a hand-over after it "
            f"{_usd(after)}: grant more to go on"
        )

    def _go_on(self) -> None:
        """Begin nothing new in a drain or past the wall time."""
        if self.drain.requested:
            raise Drained("asked to stop; goes on later")
        if self.clock() >= self.ends:
            raise OutOfBudget("the session's wall time is up: grant another session's worth to go on")


def _refused(answer: Answer, call: Call) -> str | None:
    """Say why a call may not run: its input may lack its end, or it does not go with the others."""
    if answer.message["stop_reason"] == "max_tokens":
        return _CUT_OFF
    if isinstance(call.input, dict) and UNREADABLE in call.input:
        return f"not run: its input can't be used: {call.input[UNREADABLE]}"
    if answer.hand_over:
        return None
    return refusal(call.name, call.input, answer.calls.index(call), [other.name for other in answer.calls])


def _usd(micros: int) -> str:
    return f"${micros / 1_000_000:.4f}"
