"""The sync's reader of bookings, over HTTP against a booking system that answers what it is made to."""

from dataclasses import dataclass, field

import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.serve import running
from sync.failure import SyncFailed
from sync.settings import Settings
from sync.source import Source
from wire.secret import Secret

COLUMNS = ("id", "arrival", "rate")
ONE = {"id": "B1", "arrival": "2026-05-13", "rate": "80.50"}


@dataclass
class Scripted:
    """A booking system that answers what it was told to, one answer a call, the last one again and again."""

    answers: list[object] = field(default_factory=list)
    asked: list[dict] = field(default_factory=list)

    def app(self):
        return Starlette(routes=[Route("/v1/bookings", self.answer)])

    async def answer(self, request):
        self.asked.append(dict(request.query_params))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return answer if isinstance(answer, Response) else JSONResponse(answer)


@pytest.fixture
def bookings():
    system = Scripted()
    with running(system.app()) as url:
        system.url = url
        yield system


def read(system, *answers, **more):
    system.answers = list(answers)
    settings = Settings(bookings_url=system.url, spreadsheet_id="x", columns=COLUMNS, **more)
    return Source(settings, Secret("t"), timeout_s=5, backoff_s=0).read()


def page(*records, total=None, cursor=None):
    return {"bookings": records, "total": len(records) if total is None else total, "next": cursor}


def test_all_pages_are_read_by_their_cursors(bookings):
    two = {**ONE, "id": "B2"}
    assert set(read(bookings, page(ONE, total=2, cursor="c1"), page(two, total=2))) == {"B1", "B2"}
    assert [asked.get("cursor") for asked in bookings.asked] == [None, "c1"]


def test_the_window_is_asked_for_where_it_is_not_open(bookings):
    read(bookings, page(ONE), window_from="2026-05-01")
    assert bookings.asked == [{"limit": "1000", "from": "2026-05-01"}]


@pytest.mark.parametrize(
    ("value", "cell"), [("80.50", 80.5), ("80.00", 80), (80.0, 80), ("", ""), (None, ""), ("-0.1", -0.1), (7, 7)]
)
def test_an_amount_becomes_a_number_and_a_missing_one_a_blank(bookings, value, cell):
    assert read(bookings, page({**ONE, "rate": value}))["B1"][2] == cell


@pytest.mark.parametrize(("value", "cell"), [("0042", "0042"), (True, "TRUE"), ("a\r\nb", "a\nb"), (3, 3)])
def test_everything_else_stays_as_the_source_has_it(bookings, value, cell):
    assert read(bookings, page({**ONE, "arrival": value}))["B1"][1] == cell


@pytest.mark.parametrize(
    ("answer", "named"),
    [
        (page(ONE, ONE), "booking B1 is there twice"),
        (page(ONE, total=2), "its pages held 1 bookings, its total says 2"),
        (page({**ONE, "id": ""}), "record 1 has no id"),
        (page({"id": "B1", "rate": "1"}), "booking B1 has no field arrival"),
        (page({**ONE, "rate": "eighty"}), "booking B1: rate is no amount: 'eighty'"),
        (page({**ONE, "rate": "nan"}), "booking B1: rate is no number"),
        (page({**ONE, "arrival": "x" * 50_001}), "booking B1: arrival does not fit into a cell"),
        (page({**ONE, "arrival": ["x"]}), "booking B1: arrival does not fit into a cell"),
        (page(ONE, cursor="c1"), "its pages go round in a circle"),
        ({"items": []}, "lacks `bookings` or `total`"),
        (Response("<html>"), "is no JSON"),
    ],
)
def test_an_answer_that_can_t_be_used_is_refused_whole_and_named(bookings, answer, named):
    # The circle gives the same record again and again; only its first page counts here.
    answers = [answer, {**page(), "next": "c1"}] if named.endswith("circle") else [answer]
    with pytest.raises(SyncFailed) as failed:
        read(bookings, *answers)
    assert failed.value.kind == "bookings_odd"
    assert named in failed.value.cause


def test_an_outage_that_passes_is_not_a_failure(bookings):
    assert set(read(bookings, Response(status_code=503), page(ONE))) == {"B1"}


@pytest.mark.parametrize(("status", "kind"), [(503, "bookings_down"), (500, "bookings_down"), (401, "bookings_token")])
def test_an_outage_that_lasts_is_told_by_name(bookings, status, kind):
    with pytest.raises(SyncFailed) as failed:
        read(bookings, Response(status_code=status))
    assert failed.value.kind == kind


def test_nobody_answering_is_told_by_name():
    settings = Settings(bookings_url="http://127.0.0.1:9", spreadsheet_id="x")
    with pytest.raises(SyncFailed) as failed:
        Source(settings, Secret("t"), backoff_s=0).read()
    assert failed.value.kind == "bookings_unreachable"
