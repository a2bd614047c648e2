"""The loop, life after life of one session, against a model that says what is written here."""

import dataclasses
import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.session import checkpoint, request
from agent.session.endings import Drained
from agent.session.loop import INTERRUPTED
from agent.session.retries import Cut, Rejected
from agent.tools.result import Result
from wire.types import Event, EventKind, Exit

CHECKPOINT = "Asked: count.\nDone: half.\nFound: nothing.\nDecided: by hand.\nNext: the rest.\nFiles: beds.csv"


def busy(lives):
    """A model that runs one command a turn, for ever."""
    return lambda n: lives.said(lives.text(f"turn {n}"), lives.use("bash", f"b{n}", command="true"))


def finish(lives, number="f", **given):
    return lives.said(lives.use("finish", number, **given))


def kinds(lives):
    return [event.kind.value for event in lives.events()]


def results(lives):
    return {e.data["tool_use_id"]: e.data for e in lives.events(EventKind.TOOL_RESULT)}


def last_user(lives, request=-1):
    return lives.api.requests[request]["messages"][-1]["content"]


def test_each_step_of_a_turn_is_on_record_before_it_is_taken(lives):
    lives.live([lives.said(lives.use("bash", 1, command="ls")), finish(lives)])
    turn = ["reserve", "stream", "settle", "tool_started", "tool_result"]
    assert kinds(lives) == ["header", "message", *turn, *turn, "end"]


def test_the_record_shows_what_was_called_and_what_came_in(lives):
    lives.live([lives.said(lives.use("bash", 1, command="ls")), finish(lives)])
    called = {"tool_use_id": "toolu_1", "name": "bash", "input": {"command": "ls"}}
    assert lives.events(EventKind.TOOL_STARTED)[0].data == called
    assert lives.events(EventKind.STREAM)[0].data == {"events": [{"type": "message_start"}]}


def test_the_record_shows_why_a_request_was_refused(lives):
    lives.live([Rejected(529, "overloaded"), finish(lives)])
    assert [e.data for e in lives.events(EventKind.REFUND)] == [{"turn": 1, "status": 529, "reason": "overloaded"}]


def test_the_reservation_is_on_record_when_the_request_is_made(lives):
    seen = []

    def answer(n):
        seen.append(kinds(lives)[-1])
        return finish(lives)

    lives.live(answer)
    assert seen == ["reserve"]


def test_a_started_tool_is_on_record_when_it_runs(lives):
    run, seen = lives.tools.run, []
    lives.tools.run = lambda *call: (seen.append(kinds(lives)[-1]), run(*call))[1]
    lives.live([finish(lives)])
    assert seen == ["tool_started"]


def test_a_finish_ends_the_session_with_its_result(lives):
    ending = lives.live([finish(lives, result="42 beds")])
    assert ending.exit is Exit.FINISHED
    end = lives.events()[-1]
    assert (end.kind, end.data["result"], end.data["turns"]) == (EventKind.END, "42 beds", 1)


def test_what_was_sent_is_sent_again_byte_for_byte(lives):
    lives.live(lambda n: busy(lives)(n) if n < 5 else finish(lives))
    for before, after in zip(lives.api.requests, lives.api.requests[1:], strict=False):
        assert after["messages"][: len(before["messages"])] == before["messages"]
        assert {**after, "messages": 0} == {**before, "messages": 0}


def test_the_turn_limit_ends_with_a_hand_over_and_never_a_31st_request(lives):
    ending = lives.live(lambda n: busy(lives)(n) if n < 29 else lives.said(lives.text(CHECKPOINT)))
    assert (ending.exit, ending.handed["checkpoint"][: len(CHECKPOINT)]) == (Exit.TURN_LIMIT, CHECKPOINT)
    assert len(lives.api.requests) == 30
    assert lives.events()[-1].data["turns"] == 30


def test_the_hand_over_carries_the_last_results_and_asks_behind_them(lives):
    lives.live(busy(lives))
    result, ask = last_user(lives)
    assert (result["type"], result["tool_use_id"]) == ("tool_result", "toolu_b28")
    for part in ("checkpoint", "Asked:", "Done:", "Found:", "Decided:", "Next:", "Files:"):
        assert part in ask["text"]


def test_a_few_turns_before_the_model_is_warned_in_its_last_result(lives):
    lives.live(busy(lives))
    warned = [name for name, result in results(lives).items() if "left in this session" in result["content"]]
    assert warned == ["toolu_b25", "toolu_b27"]


def test_calls_in_the_hand_over_are_not_run_but_a_finish_counts(lives):
    last = lives.said(lives.use("bash", "late", command="ls"), lives.use("finish", "f", result="done"))
    ending = lives.live(lambda n: busy(lives)(n) if n < 29 else last)
    assert ending.exit is Exit.FINISHED
    assert "toolu_late" not in lives.tools.ran


def test_a_hand_over_without_words_takes_them_from_the_journal(lives):
    ending = lives.live(busy(lives))  # it goes on calling bash even when asked for its checkpoint
    assert "turn 29" in ending.handed["checkpoint"]


def test_a_hand_over_that_is_cut_is_made_from_the_journal_without_a_request(lives):
    ending = lives.live(lambda n: busy(lives)(n) if n < 29 else Cut("half an answer"))
    assert ending.exit is Exit.TURN_LIMIT
    assert ending.reason == "no turn is left, and the last one's answer was lost"
    assert "Asked: Count the beds" in ending.handed["checkpoint"]
    assert "bash ran" in ending.handed["checkpoint"]
    assert len(lives.api.requests) == 30


def test_a_hand_over_that_is_rejected_is_asked_again_as_the_same_turn(lives):
    tries = [Rejected(529, "overloaded"), lives.said(lives.text(CHECKPOINT))]
    ending = lives.live(lambda n: busy(lives)(n) if n < 29 else tries[n - 29])
    assert ending.handed["checkpoint"].startswith(CHECKPOINT)
    assert lives.events()[-1].data["turns"] == 30
    assert len(last_user(lives)) == 2  # it is asked once


def test_a_process_that_dies_behind_the_words_that_ask_for_the_hand_over_asks_once(lives):
    lives.limits = dataclasses.replace(lives.limits, turns=1)
    lives.live([lives.said(lives.text(CHECKPOINT))])
    lives.cut_behind(EventKind.MESSAGE, occurrence=2)
    assert lives.live([lives.said(lives.text(CHECKPOINT))]).handed["checkpoint"].startswith(CHECKPOINT)
    assert len(lives.events(EventKind.MESSAGE)) == 2


def test_a_long_conversation_hands_over_early(lives):
    long = lives.said(lives.use("bash", 1, command="ls"), usage=(89_000, 1_000))
    ending = lives.live([long, lives.said(lives.text("words"))])
    assert ending.exit is Exit.TURN_LIMIT
    assert len(lives.api.requests) == 2


def test_calls_of_one_answer_run_in_order(lives):
    lives.live([lives.said(*(lives.use("bash", n, command="ls") for n in (3, 1, 2))), finish(lives)])
    assert lives.tools.ran == ["toolu_3", "toolu_1", "toolu_2", "toolu_f"]


def test_a_question_waits_for_the_results_of_the_others(lives):
    ending = lives.live(
        [lives.said(lives.use("ask_person", "q", question="Keep?"), lives.use("bash", 1, command="ls"))]
    )
    assert ending.exit is Exit.ASKED
    assert lives.tools.ran == ["toolu_1"]
    assert lives.events()[-1].data["question"] == {"tool_use_id": "toolu_q", "text": "Keep?"}


def test_an_answer_is_the_result_of_its_question(lives, tmp_path):
    lives.live([lives.said(lives.use("bash", 1, command="ls"), lives.use("ask_person", "q", question="Keep?"))])
    lives.add(EventKind.ANSWER, {"tool_use_id": "toolu_q", "text": "Keep it."})
    assert lives.live([finish(lives)]).exit is Exit.FINISHED
    assert [block["content"] for block in last_user(lives)] == ["bash ran", "Keep it."]


def test_without_an_answer_it_asks_on_and_makes_no_request(lives):
    lives.live([lives.said(lives.use("ask_person", "q", question="Keep?"))])
    assert lives.live([]).exit is Exit.ASKED
    assert lives.api.requests == []


def test_a_second_question_and_a_finish_beside_others_get_error_results(lives):
    lives.live(
        [
            lives.said(
                lives.use("ask_person", "q1", question="A?"),
                lives.use("ask_person", "q2", question="B?"),
                lives.use("finish", "f", result="x"),
            )
        ]
    )
    assert {name for name, result in results(lives).items() if result["is_error"]} == {"toolu_q2", "toolu_f"}
    assert lives.tools.ran == []


TASKS = [f"01KRGKAHG0E073R7GREH4AHP7{n}" for n in range(3)]


def creating(lives, tasks):
    """Let `create_task` carry these ids, one call after the other."""
    ids = iter(tasks)
    lives.tools.run = lambda _id, name, _given: Result(
        f"{name} ran", carries={"created": {"id": next(ids)}} if name == "create_task" else {}
    )


def test_a_wait_suspends_the_session_for_all_that_it_created_once_the_others_have_results(lives):
    creating(lives, TASKS)
    ending = lives.live([lives.said(*(lives.use("create_task", n) for n in (1, 2)), lives.use("wait_for_tasks", "w"))])
    assert (ending.exit, ending.reason) == (Exit.SUBTASKS, "waits for 2 subtasks")
    last = lives.events()[-1]
    assert (last.kind, last.data["wait"]) == (EventKind.SUSPEND, {"tool_use_id": "toolu_w", "tasks": TASKS[:2]})


def test_a_second_wait_is_for_what_was_created_since(lives):
    creating(lives, TASKS)
    lives.live([lives.said(lives.use("create_task", 1), lives.use("wait_for_tasks", "w"))])
    lives.add(EventKind.TOOL_RESULT, {"tool_use_id": "toolu_w", "content": "over", "is_error": False})
    ending = lives.live([lives.said(lives.use("create_task", 2)), lives.said(lives.use("wait_for_tasks", "v"))])
    assert ending.handed["wait"] == {"tool_use_id": "toolu_v", "tasks": TASKS[1:2]}
    assert ending.reason == "waits for a subtask"
    assert [block["content"] for block in lives.api.requests[0]["messages"][2]["content"]] == [
        "create_task ran",
        "over",
    ]


def test_without_news_it_waits_on_and_makes_no_request(lives):
    creating(lives, TASKS)
    lives.live([lives.said(lives.use("create_task", 1), lives.use("wait_for_tasks", "w"))])
    assert lives.live([]).handed["wait"]["tasks"] == TASKS[:1]
    assert lives.api.requests == []


def test_named_tasks_are_waited_for_and_a_wait_for_nothing_has_an_error_result(lives):
    ending = lives.live(
        [
            lives.said(lives.use("wait_for_tasks", "v")),
            lives.said(lives.use("wait_for_tasks", "x", tasks=["no id"])),
            lives.said(lives.use("wait_for_tasks", "w", tasks=[TASKS[2]])),
        ]
    )
    assert ending.handed["wait"]["tasks"] == [TASKS[2]]
    assert results(lives)["toolu_v"]["is_error"]
    assert "created none" in results(lives)["toolu_v"]["content"]
    assert "tasks[0]" in results(lives)["toolu_x"]["content"]


def test_few_turns_that_are_left_are_told_behind_a_wait_for_nothing_too(lives):
    lives.limits = dataclasses.replace(lives.limits, turns=5)
    wait = lives.use("wait_for_tasks", "w", tasks=[TASKS[2]])
    lives.live([lives.said(lives.use("wait_for_tasks", "v")), lives.said(wait)])
    assert "3 more turns are left" in results(lives)["toolu_v"]["content"]


def test_a_whole_answer_in_the_journal_is_never_asked_for_again(lives):
    lives.live([finish(lives, result="42")])
    lives.cut_behind(EventKind.SETTLE)
    assert lives.live([]).handed["result"] == "42"


def test_an_interrupted_call_is_answered_and_not_run_again(lives):
    lives.live([lives.said(lives.use("bash", 1, command="ls")), finish(lives)])
    lives.cut_behind(EventKind.TOOL_STARTED)
    lives.tools.ran.clear()
    lives.live([finish(lives)])
    assert results(lives)["toolu_1"] == {"tool_use_id": "toolu_1", "content": INTERRUPTED, "is_error": True}
    assert lives.tools.ran == ["toolu_f"]


def test_an_interrupted_finish_is_simply_done_again(lives):
    lives.live([finish(lives)])
    lives.cut_behind(EventKind.TOOL_STARTED)
    assert lives.live([]).exit is Exit.FINISHED
    assert len(lives.events(EventKind.TOOL_STARTED)) == 1


def test_a_cut_keeps_its_turn_and_its_price_and_a_rejection_gives_both_back(lives):
    ending = lives.live([Cut("half"), Rejected(529, "overloaded"), finish(lives)])
    first, second, third = (event.data for event in lives.events(EventKind.RESERVE))
    assert (first["turn"], second["turn"], third["turn"]) == (1, 2, 2)
    settled = lives.events(EventKind.SETTLE)[0].data
    end = lives.events()[-1].data
    assert ending.exit is Exit.FINISHED
    assert (end["turns"], end["usd_micros"]) == (2, first["usd_micros"] + settled["usd_micros"])
    assert len(lives.drain.slept) == 2


def test_an_api_that_stays_away_suspends_the_session(lives):
    assert lives.live(lambda n: Rejected(529, "overloaded")).exit is Exit.UNAVAILABLE
    assert lives.events()[-1].data["turns"] == 0
    assert lives.live([finish(lives)]).exit is Exit.FINISHED


def test_without_the_money_for_a_turn_and_a_hand_over_no_request_is_made(lives):
    lives.limits = dataclasses.replace(lives.limits, usd_micros=250_000)
    ending = lives.live(lambda n: dict(busy(lives)(n), usage={"input_tokens": 5_000, "output_tokens": 2_000}))
    assert ending.exit is Exit.BUDGET
    assert "grant more" in ending.reason
    assert lives.events()[-1].data["usd_micros"] <= 250_000
    made = len(lives.api.requests)
    lives.limits = dataclasses.replace(lives.limits, usd_micros=2_000_000)
    assert lives.live([finish(lives)]).exit is Exit.FINISHED
    assert lives.events()[-1].data["turns"] == made + 1


def test_the_money_for_the_hand_over_is_always_there(lives):
    """Whatever the money, the bill stays under it, and a session that comes to its last turn can ask for the words."""
    for cents in range(20, 120, 7):
        lives.path.write_bytes(b"".join(lives.path.read_bytes().splitlines(keepends=True)[:2]))
        lives.limits = dataclasses.replace(lives.limits, turns=6, usd_micros=cents * 10_000)
        ending = lives.live(lambda n: dict(busy(lives)(n), usage={"input_tokens": 4_000, "output_tokens": 8_192}))
        assert lives.events()[-1].data["usd_micros"] <= cents * 10_000
        assert ending.exit is Exit.BUDGET or len(lives.api.requests) == 6


def test_a_refusal_is_stuck_and_asks_once_more_when_let_go_on(lives):
    refused = {**lives.said(stop="refusal"), "stop_details": {"type": "refusal", "category": "cyber"}}
    ending = lives.live([refused])
    assert (ending.exit, "cyber" in ending.reason) == (Exit.STUCK, True)
    assert lives.live([finish(lives)]).exit is Exit.FINISHED
    assert [message["role"] for message in lives.api.requests[0]["messages"]] == ["user"]


def test_a_model_that_stops_is_asked_to_go_on_and_is_stuck_the_third_time(lives):
    ending = lives.live(lambda n: lives.said(lives.text("Done, I think.")))
    assert ending.exit is Exit.STUCK
    assert len(lives.api.requests) == 3
    assert lives.live([lives.said(lives.text("Oh.")), finish(lives)]).exit is Exit.FINISHED
    (asked,) = last_user(lives)
    assert asked["type"] == "text"
    assert "your answer held no call" in asked["text"]


def test_an_answer_that_was_cut_off_runs_none_of_its_calls(lives):
    cut_off = lives.said(lives.use("ask_person", "q", question="Sh"), lives.use("bash", 1), stop="max_tokens")
    lives.live([cut_off, finish(lives)])
    assert lives.tools.ran == ["toolu_f"]
    assert all("cut off" in results(lives)[call]["content"] for call in ("toolu_1", "toolu_q"))


def test_an_empty_answer_is_not_sent_back(lives):
    lives.live([lives.said(lives.text(""), stop="max_tokens"), finish(lives)])
    assert [message["role"] for message in lives.api.requests[1]["messages"]] == ["user"]


def test_a_full_context_window_hands_over_without_a_request(lives):
    ending = lives.live([lives.said(lives.text("…"), stop="model_context_window_exceeded")])
    assert ending.exit is Exit.TURN_LIMIT
    assert len(lives.api.requests) == 1


def test_a_drain_starts_no_request_and_no_tool(lives):
    def answer(n):
        lives.drain._asked(15, None)
        return lives.said(lives.use("bash", 1, command="ls"))

    assert lives.live(answer).exit is Exit.DRAINED
    assert (len(lives.api.requests), lives.tools.ran) == (1, [])
    lives.drain = type(lives.drain)(lambda: 0.0)
    assert lives.live([finish(lives)]).exit is Exit.FINISHED
    assert lives.tools.ran == ["toolu_1", "toolu_f"]


def test_past_its_wall_time_nothing_new_begins(lives):
    lives.now = 100.0
    assert lives.live([]).exit is Exit.BUDGET
    assert lives.api.requests == []


def test_a_good_answer_lets_tries_begin_anew(lives):
    """Three cuts in a row are too many; two, and two more behind a good answer, are not."""
    cut, good = Cut("half"), busy(lives)
    ending = lives.live([cut, cut, good(2), cut, cut, good(5), finish(lives)])
    assert ending.exit is Exit.FINISHED
    first, second, third, fourth = lives.drain.slept
    assert max(first, third) <= 1 < min(second, fourth) <= 2


def test_past_its_wall_time_no_further_tool_of_an_answer_runs(lives):
    run = lives.tools.run

    def slow(*call):
        lives.now = 100.0
        return run(*call)

    lives.tools.run = slow
    ending = lives.live([lives.said(*(lives.use("bash", n, command="ls") for n in (1, 2)))])
    assert (ending.exit, lives.tools.ran) == (Exit.BUDGET, ["toolu_1"])
    assert "wall time" in ending.reason


def test_the_warning_stands_in_the_last_result_of_an_answer_only(lives):
    lives.limits = dataclasses.replace(lives.limits, turns=5)
    two = lives.said(lives.use("bash", 1, command="ls"), lives.use("bash", 2, command="ls"))
    lives.live([two, finish(lives)])
    assert results(lives)["toolu_1"]["content"] == "bash ran"
    assert "3 more turns are left" in results(lives)["toolu_2"]["content"]


def test_a_hand_over_is_not_warned_of_the_turns_it_leaves(lives):
    lives.limits = dataclasses.replace(lives.limits, turns=6, hand_over_tokens=1_000)
    failing = lives.said(lives.text("words"), lives.use("finish", "f", fail=True))
    ending = lives.live([lives.said(lives.use("bash", 1, command="ls")), failing])
    assert (ending.exit, results(lives)["toolu_f"]["content"]) == (Exit.TURN_LIMIT, "finish ran")


def test_a_process_that_dies_behind_its_nudge_does_not_nudge_again(lives):
    lives.live([lives.said(lives.text("Done.")), Rejected(400, "ends it")])
    lives.cut_behind(EventKind.MESSAGE, occurrence=2)
    lives.live([finish(lives)])
    assert len(lives.events(EventKind.MESSAGE)) == 2


def test_a_refusal_without_a_category_says_so(lives):
    ending = lives.live([lives.said(lives.text("No."), stop="refusal")])
    assert ending.reason == "the model refused (no category given): No."


def test_an_answer_is_settled_at_its_price_and_keeps_its_usage(lives):
    lives.live([lives.said(lives.use("bash", 1, command="ls"), usage=(1000, 100)), finish(lives)])
    settled = lives.events(EventKind.SETTLE)[0].data
    assert (settled["turn"], settled["usd_micros"]) == (1, 2_000 + 1_000)
    assert settled["usage"] == {"input_tokens": 1000, "output_tokens": 100}
    assert "usage" not in settled["message"]


def test_each_request_is_reserved_at_its_worst_price(lives):
    """The first by all its bytes, each later one by the last total and the bytes that are new."""
    lives.live([lives.said(lives.use("bash", 1, command="ls"), usage=(40_000, 100)), finish(lives)])
    first, second = (event.data for event in lives.events(EventKind.RESERVE))
    bytes_of = [request.size(value) for value in (lives.api.requests[0], lives.api.requests[1]["messages"][-1])]
    assert first == {"turn": 1, "usd_micros": worst(bytes_of[0] + 2_000), "hand_over": False}
    assert second == {"turn": 2, "usd_micros": worst(40_100 + bytes_of[1] + 2_000), "hand_over": False}


def worst(prompt):
    """Micro-dollars of a prompt that is all written to the cache, and of the longest answer."""
    return math.ceil(prompt * 2 * 1.25) + 8192 * 10


@pytest.mark.parametrize(("spare", "requests"), [(0, 1), (-1, 0)])
def test_the_last_micro_dollar_decides_on_a_turn_and_the_hand_over_behind_it(lives, spare, requests):
    prompt = request.size(request.parameters(lives.events())) + 2_000
    money = worst(prompt) + worst(prompt + 8192 + 16_000)
    lives.limits = dataclasses.replace(lives.limits, usd_micros=money + spare)
    ending = lives.live([finish(lives)])
    assert len(lives.api.requests) == requests
    if not requests:
        figures = ("$0.0000 of", f"${(money - 1) / 1e6:.4f}", f"${worst(prompt) / 1e6:.4f}")
        assert ending.exit is Exit.BUDGET
        assert all(figure in ending.reason for figure in figures)


def test_a_user_reads_what_is_spent_to_the_hundredth_of_a_cent(lives):
    lives.limits = dataclasses.replace(lives.limits, usd_micros=100_000_000, max_tokens=20_000_000)
    assert "$0.0000 of $100.0000 are spent" in lives.live([]).reason


@pytest.mark.parametrize(("spare", "requests"), [(0, 1), (-1, 0)])
def test_the_last_micro_dollar_decides_on_a_hand_over(lives, spare, requests):
    lives.limits = dataclasses.replace(lives.limits, turns=1)
    asked = [*lives.events(), Event(n=3, at="", kind=EventKind.MESSAGE, data={"content": [checkpoint.ASK]})]
    prompt = request.size(request.parameters(asked)) + 2_000
    lives.limits = dataclasses.replace(lives.limits, usd_micros=worst(prompt) + spare)
    ending = lives.live([lives.said(lives.text("words"))])
    assert (ending.exit, len(lives.api.requests)) == (Exit.TURN_LIMIT, requests)
    assert ("no money is left" in ending.reason) is (requests == 0)


CALLS = st.sampled_from(["bash", "bash", "str_replace_based_edit_tool", "create_task", "ask_person", "finish", "none"])
ANSWERS = st.lists(
    st.one_of(st.lists(CALLS, max_size=4), st.sampled_from(["cut", "429", "refusal", "max"])), max_size=9
)


@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(ANSWERS, st.lists(st.integers(1, 60), max_size=6))
def test_wherever_a_process_dies_every_call_gets_its_result_and_none_finished_runs_twice(lives, plan, deaths):
    """The scripted API refuses a conversation with a hole; here processes die behind any record."""
    lives.path.write_bytes(b"".join(lives.path.read_bytes().splitlines(keepends=True)[:2]))
    lives.tools.ran.clear()
    lives.limits = dataclasses.replace(lives.limits, turns=8)
    asked = 0

    def answer(_n):
        nonlocal asked
        asked += 1
        return scripted(lives, plan[asked - 1] if asked <= len(plan) else ["finish"], asked)

    for death in [*deaths, None, None]:
        if lives.events()[-1].kind is EventKind.END:
            break
        lives.answer_open_question()
        before = len(lives.events())
        lives.live(answer)
        if death:
            lines = lives.path.read_bytes().splitlines(keepends=True)
            lives.path.write_bytes(b"".join(lines[: max(before, 2) + death]))
            started = {event.data["tool_use_id"] for event in lives.events(EventKind.TOOL_STARTED)}
            lives.tools.ran[:] = [call for call in lives.tools.ran if call in started]
    once = [call for call in lives.tools.ran if "finish" not in call and "create" not in call]
    assert len(once) == len(set(once))
    assert lives.events()[-1].data["turns"] <= 8


def scripted(lives, what, n):
    if what == "cut":
        return Cut("half")
    if what == "429":
        return Rejected(429, "slow down")
    if what == "refusal":
        return lives.said(lives.text("no"), stop="refusal")
    names = ["bash"] if what == "max" else [name for name in what if name != "none"]
    blocks = [lives.use(name, f"{name}{n}_{i}", question="?", result="r") for i, name in enumerate(names)]
    return lives.said(lives.text(f"answer {n}"), *blocks, stop="max_tokens" if what == "max" else None)


@pytest.mark.parametrize("turns", [2, 3, 5])
def test_a_small_turn_limit_holds_as_well(lives, turns):
    lives.limits = dataclasses.replace(lives.limits, turns=turns)
    assert lives.live(busy(lives)).exit is Exit.TURN_LIMIT
    assert len(lives.api.requests) == turns


def test_an_error_result_never_is_without_words(lives):
    lives.tools.run = lambda *_call: Result("", is_error=True)
    lives.live([lives.said(lives.use("bash", 1, command="x")), lives.said(lives.text("no"), stop="refusal")])
    assert results(lives)["toolu_1"]["content"] == "(no output)"


def test_a_cut_answer_costs_what_it_can_have_cost_and_its_turn(lives):
    usage = {"input_tokens": 1000, "output_tokens": 600}
    lives.live([Cut("half", usage), finish(lives)])
    reserve, cut = lives.events(EventKind.RESERVE)[0].data, lives.events(EventKind.CUT)[0].data
    assert (cut["turn"], cut["usage"], cut["reason"]) == (1, usage, "half")
    assert cut["usd_micros"] == 1000 * 2 + 600 * 10 < reserve["usd_micros"]
    assert (lives.events()[-1].data["turns"], lives.events()[-1].data["usd_micros"]) == (2, 8000 + 3000)


def test_a_cut_answer_of_which_nothing_is_known_costs_the_worst(lives):
    lives.live([Cut("half"), finish(lives)])
    worst = lives.events(EventKind.RESERVE)[0].data["usd_micros"]
    assert lives.events()[-1].data["usd_micros"] == worst + 3000


def test_claims_whose_answers_break_off_come_at_growing_pauses_until_an_answer_is_whole(lives):
    def waits(*plays):
        return lives.live([*plays, *[Cut("half")] * 3]).handed["not_before"]

    assert [waits() for _ in range(7)] == [
        f"1970-01-01T{at}:00Z" for at in ("00:02", "00:04", "00:08", "00:16", "00:32", "01:00", "01:00")
    ]
    assert waits(lives.said(lives.use("bash", 1, command="true"))) == "1970-01-01T00:02:00Z"


def test_what_would_meet_every_task_makes_no_task_wait_longer_each_time(lives):
    waits = [lives.live(lambda n: Rejected(529, "overloaded")).handed["not_before"] for _ in range(3)]
    assert set(waits) == {"1970-01-01T00:02:00Z"}
    assert lives.live([Cut("half")] * 3).handed["not_before"] == "1970-01-01T00:02:00Z"


def test_a_request_that_a_drain_cuts_ends_as_drained_with_its_price_on_record(lives):
    def cut(_n):
        lives.drain._asked(15, None)
        return Cut("time is up", {"input_tokens": 1000, "output_tokens": 0})

    ending = lives.live(cut)
    assert (ending.exit, ending.reason) == (Exit.DRAINED, "drained in the middle of a request")
    assert lives.events()[-1].data["usd_micros"] == 2000


def test_blank_texts_are_not_sent_back(lives):
    lives.live([lives.said(lives.text(" \n"), lives.use("bash", 1, command="ls")), finish(lives)])
    assert [block["type"] for block in lives.api.requests[1]["messages"][1]["content"]] == ["tool_use"]


def test_an_answer_of_blank_text_alone_is_asked_to_go_on(lives):
    lives.live([lives.said(lives.text("\n\n")), finish(lives)])
    assert [message["role"] for message in lives.api.requests[1]["messages"]] == ["user"]
    assert "held no call" in last_user(lives)[-1]["text"]


def test_calls_of_one_id_are_told_apart_in_one_answer_and_over_answers(lives):
    twice = lives.said(lives.use("bash", 1, command="ls"), lives.use("bash", 1, command="wc"))
    lives.live([twice, lives.said(lives.use("bash", 1, command="df")), finish(lives)])
    assert lives.tools.ran == ["toolu_1", "toolu_1_2", "toolu_1_3", "toolu_f"]
    sent = [b["id"] for m in lives.api.requests[-1]["messages"] for b in m["content"] if b["type"] == "tool_use"]
    assert sent == ["toolu_1", "toolu_1_2", "toolu_1_3"]


def test_a_call_whose_input_cant_be_used_is_answered_and_not_run(lives):
    call = {"type": "tool_use", "id": "toolu_1", "name": "bash", "input": {"jada_unreadable": "it is no object"}}
    lives.live([lives.said(call), finish(lives)])
    assert lives.tools.ran == ["toolu_f"]
    assert "it is no object" in results(lives)["toolu_1"]["content"]


@pytest.mark.parametrize("status", [400, 413])
def test_a_conversation_that_is_refused_is_handed_over_once_and_then_a_person_is_asked(lives, status):
    refused = Rejected(status, "messages: something in it")
    ending = lives.live([lives.said(lives.use("bash", 1, command="ls")), refused])
    assert ending.exit is Exit.TURN_LIMIT
    assert "bash ran" in ending.handed["checkpoint"]
    lives.begin(ending.handed["checkpoint"])
    again = lives.live([lives.said(lives.use("bash", 1, command="ls")), refused])
    assert (again.exit, "messages: something in it" in again.reason) == (Exit.STUCK, True)


def test_a_first_request_that_is_refused_comes_to_a_person_at_once(lives):
    assert lives.live([Rejected(400, "max_tokens: too many")]).exit is Exit.STUCK


@pytest.mark.parametrize(
    ("outcome", "words"), [("partly", "Partly done: Half."), ("not_possible", "Not possible: Half.")]
)
def test_what_is_not_done_comes_to_a_person_with_its_files_and_goes_on_by_their_word(lives, outcome, words):
    given = {"result": "Half.", "outcome": outcome, "needed": "The other list."}
    lives.tools.finished = lambda _given: {**given, "files": ["half.csv"]}
    ending = lives.live([finish(lives, 1)])
    assert ending.exit is Exit.STUCK
    assert ending.reason == f"{words} What would be needed: The other list."
    assert lives.events()[-1].data["files"] == ["half.csv"]
    assert lives.events()[-1].kind is EventKind.SUSPEND
    lives.add(EventKind.MESSAGE, {"content": [lives.text("Here it is.")], "note": True})
    lives.tools.finished = lambda _given: {"result": "All.", "outcome": "done", "needed": "", "files": []}
    assert lives.live([finish(lives, 2)]).exit is Exit.FINISHED


def test_what_is_not_done_and_needs_nothing_says_only_what_it_came_to(lives):
    lives.tools.finished = lambda _given: {"result": "Half.", "outcome": "partly", "needed": "", "files": []}
    assert lives.live([finish(lives)]).reason == "Partly done: Half."


def test_many_long_results_of_one_answer_are_shortened_before_they_are_journalled(lives):
    lives.tools.run = lambda *_call: Result("head" + "x" * 30_000 + "tail")
    many = lives.said(*(lives.use("bash", n, command="cat") for n in range(12)))
    lives.live([many, Drained("enough")])
    sent = [block["content"] for block in last_user(lives)]
    assert (len(sent[0]), len(sent[1])) == (30_008, 30_008)
    assert sum(map(len, sent)) < 64_000 + 12 * 2_200
    for content in sent[2:]:
        assert content.startswith("head")
        assert "bytes left out]" in content
        assert content.endswith("tail")
