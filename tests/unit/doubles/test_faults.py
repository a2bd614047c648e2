import ast
import asyncio
import json
import time
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

import doubles
from doubles.faults import Fault, Faults

ROOMS = sorted(Path(doubles.__file__).parent.glob("*/**/*.py"))


class Worded(Fault, frozen=True, kw_only=True, forbid_unknown_fields=True):
    word: str = ""


@pytest.fixture
def faults():
    return Faults(Worded)


@pytest.fixture
def control(faults):
    client = TestClient(Starlette(routes=faults.routes()))
    return lambda method="GET", **fault: client.request(method, "/_local/faults", content=json.dumps(fault))


def met(faults, count, text="", suits=lambda _fault: True):
    """The words of the faults that so many calls meet."""
    found = [asyncio.run(faults.meet(text, suits)) for _ in range(count)]
    return [fault and fault.word for fault in found]


def test_counted_faults_come_in_their_order_and_end_by_themselves(faults, control):
    control("POST", word="a", times=2)
    control("POST", word="b", times=1)
    assert met(faults, 4) == ["a", "a", "b", None]


def test_a_fault_without_a_count_lasts_until_another_takes_its_place_or_all_end(faults, control):
    control("POST", word="a")
    control("POST", word="b")
    assert met(faults, 2) == ["b", "b"]
    control("DELETE")
    assert met(faults, 1) == [None]


def test_a_counted_fault_comes_before_one_that_lasts(faults, control):
    control("POST", word="lasts")
    control("POST", word="once", times=1)
    assert met(faults, 2) == ["once", "lasts"]


def test_a_fault_hits_only_what_it_matches_and_suits(faults, control):
    control("POST", word="a", times=1, match="sheet")
    assert met(faults, 1, "the bookings") == [None]
    assert met(faults, 1, "the sheet", lambda fault: fault.word != "a") == [None]
    assert met(faults, 1, "the sheet") == ["a"]


def test_a_silence_lasts_as_long_as_ordered(faults, control):
    control("POST", hang_s=0.2)
    began = time.monotonic()
    asyncio.run(faults.meet())
    assert time.monotonic() - began >= 0.2


def test_orders_are_reported_with_what_is_left_of_them(faults, control):
    control("POST", word="a", times=3)
    met(faults, 1)
    told = control().json()
    assert (told["held"], [(order["word"], order["left"]) for order in told["faults"]]) == (0, [("a", 2)])


@pytest.mark.parametrize(("fault", "field"), [({"explode": True}, "explode"), ({"times": -1}, "times")])
def test_an_order_that_makes_no_sense_is_refused_and_changes_nothing(faults, control, fault, field):
    answer = control("POST", **fault)
    assert (answer.status_code, answer.json()["field"]) == (400, field)
    assert met(faults, 1) == [None]


async def _held_until_released(faults, control):
    first = asyncio.create_task(faults.meet())
    await asyncio.sleep(0)
    told = (await asyncio.to_thread(control)).json()["held"], first.done()
    await asyncio.to_thread(control, "DELETE")
    return told, (await first).word


def test_an_answer_is_held_until_all_faults_end(faults, control):
    control("POST", word="a", hold=True)
    assert asyncio.run(_held_until_released(faults, control)) == ((1, False), "a")
    assert control().json() == {"faults": [], "held": 0}
    control("POST", word="b", hold=True)
    assert asyncio.run(_held_until_released(faults, control)) == ((1, False), "b")


def test_a_written_fault_is_met_as_often_as_it_says_and_at_its_own_place_only(faults):
    twice, once = Worded(word="a", times=2), Worded(word="b")
    places = [("1.0", twice)] * 3 + [("1.1", once)] * 2
    found = [asyncio.run(faults.meet_written(place, fault)) for place, fault in places]
    assert found == [twice, twice, None, once, None]


def test_a_written_fault_is_silent_as_long_as_it_says(faults):
    began = time.monotonic()
    asyncio.run(faults.meet_written("1.0", Worded(hang_s=0.2)))
    assert time.monotonic() - began >= 0.2


def injects(source):
    """What in a double's source makes calls suffer by itself: a pause, a gate, an order's route, a kind of fault."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("sleep", "asyncio.Event")):
            yield ast.unparse(node.func)
        if isinstance(node, ast.Call) and node.args and "/_local/fault" in ast.unparse(node.args[0]):
            yield ast.unparse(node.func)
        if isinstance(node, ast.ClassDef) and node.name.startswith("Fault"):
            bases = [ast.unparse(base) for base in node.bases]
            yield from [node.name] if f"faults.{node.name}" not in [base.partition("[")[0] for base in bases] else []


def test_there_is_one_injector_of_faults_and_no_double_has_its_own():
    found = {file: list(injects(file.read_text(encoding="utf-8"))) for file in ROOMS}
    assert {file: own for file, own in found.items() if own} == {}


@pytest.mark.parametrize(
    "own",
    ["asyncio.sleep(1)", "time.sleep(1)", "asyncio.Event()", 'Route("/_local/faults/x", f)', "class Faulty:\n    pass"],
)
def test_each_such_injector_is_seen(own):
    assert list(injects(own))
