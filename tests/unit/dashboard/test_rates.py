import pytest

from dashboard import rates
from dashboard.stores.journal import Used
from wire.types import Exit, Session

AT = "2026-05-13T12:00:00Z"


def session(number, code=Exit.FINISHED, task="T", turns=10, **fields):
    times = {"started_at": AT, "updated_at": AT}
    return Session(id=f"S{number:02}", task=task, host="h", exit=code, turns=turns, **times, **fields)


def at_its_limit(number, task="T", **fields):
    return session(number, Exit.TURN_LIMIT, task, 30, **fields)


def priced(turns=30, first=1000, slope=100, tokens=4000, growth=1000):
    """A session of one turn a delivery, each dearer and its context longer than the one before."""
    return [Used(1, first + slope * turn, tokens + growth * turn) for turn in range(turns)]


def projected(found, *, new=40, context=10**6):
    return rates.project(found, 30, new, context)


def test_the_rate_counts_what_is_over_and_apart_what_a_full_context_ended():
    found = rates.rate(
        [
            at_its_limit(1),
            session(2, Exit.TURN_LIMIT, turns=12),
            session(3),
            session(4, None),
            session(5, Exit.ASKED, suspended=True),
            session(6, Exit.FENCED),
            session(7, Exit.FAULT),
        ],
        30,
    )
    assert (found.hits, found.early, found.ended) == (1, 1, 4)
    assert found.share == 0.25
    assert not found.is_over


@pytest.mark.parametrize(("had", "hits", "early"), [({}, 0, 1), ({"turn_limit": 30}, 1, 0), ({"turn_limit": 31}, 0, 1)])
def test_a_session_is_judged_by_the_limit_that_it_had_where_that_is_known(had, hits, early):
    found = rates.rate([at_its_limit(1, **had)], 40)
    assert (found.hits, found.early) == (hits, early)


def test_the_rule_is_broken_by_more_than_thirty_percent():
    assert not rates.Rate(hits=3, early=0, ended=10).is_over
    assert rates.Rate(hits=4, early=0, ended=10).is_over
    assert not rates.rate([], 30).is_over


@pytest.mark.parametrize(
    ("hits", "total", "low", "high"), [(0, 0, 0, 1), (3, 10, 0.127, 0.559), (0, 10, 0, 0.213), (10, 10, 0.787, 1)]
)
def test_a_share_of_few_is_less_sure(hits, total, low, high):
    found = rates.interval(hits, total)
    assert (found.low, found.high) == (pytest.approx(low, abs=0.001), pytest.approx(high, abs=0.001))


def test_a_rate_says_how_sure_it_is():
    assert rates.Rate(0, 0, 0).sureness == "no session has ended"
    assert rates.Rate(2, 0, 4).sureness == "of 4 sessions only: anything from 18 to 82 %, nine times in ten"
    assert rates.Rate(33, 0, 100).sureness == "26 to 41 %, nine times in ten: the 30 % lie within"
    assert rates.Rate(60, 0, 100).sureness == "52 to 68 %, nine times in ten"


def test_each_hit_has_what_followed_at_its_own_task():
    sessions = [at_its_limit(1), at_its_limit(2, task="U"), session(4), at_its_limit(3)]
    found = rates.hits(sessions, {"S01": priced()}, 30)
    assert [(hit.session.id, [after.id for after in hit.followed]) for hit in found] == [
        ("S01", ["S03", "S04"]),
        ("S03", ["S04"]),
        ("S02", []),
    ]
    assert (len(found[0].series), len(found[1].series)) == (30, 0)


def test_what_more_turns_had_done_is_asked_of_those_that_had_the_limit_of_now():
    sessions = [at_its_limit(1, turn_limit=30), session(2, Exit.TURN_LIMIT, turns=40, turn_limit=40), session(3)]
    assert [hit.session.id for hit in rates.hits(sessions, {}, 40)] == ["S02"]
    assert [hit.session.id for hit in rates.hits(sessions, {}, 30)] == ["S01"]


def hit(*followed, series=None):
    return rates.Hit(at_its_limit(1), priced() if series is None else series, followed)


def test_more_turns_had_finished_what_the_sessions_after_finished_within_them():
    found = [hit(session(2, turns=10)), hit(session(2, turns=11)), hit(at_its_limit(2), session(3, turns=1))]
    forty, fifty = projected(found), projected(found, new=50)
    assert (forty.finished, forty.known, forty.unknown) == (1, 3, 0)
    assert (fifty.finished, fifty.known) == (2, 3)


def test_what_has_not_come_to_its_end_is_known_only_when_it_took_more_turns_already():
    found = [hit(), hit(session(2, None, turns=10)), hit(session(2, None, turns=11))]
    assert (projected(found).finished, projected(found).known, projected(found).unknown) == (0, 1, 2)


def test_further_turns_cost_what_the_trend_of_the_recorded_ones_says():
    # Turn n costs 1000 + 100 (n - 1): turns 31 to 34 cost 4000, 4100, 4200 and 4300.
    found = projected([hit(session(2, turns=4, usd_micros=9000))])
    assert (found.more_usd_micros, found.instead_usd_micros) == (16_600, 9000)


def test_a_delivery_of_several_turns_counts_each_of_them():
    by_twos = [Used(2, 2 * 1000 + 100 * (4 * turn + 1), None) for turn in range(15)]
    assert projected([hit(session(2, turns=1), series=by_twos)]).more_usd_micros == pytest.approx(4000, abs=10)


def test_with_few_recorded_turns_each_further_one_costs_their_mean():
    assert projected([hit(session(2, turns=2), series=[Used(4, 400, None)])]).more_usd_micros == 200


def test_a_task_that_goes_on_is_priced_with_all_its_further_turns_and_replaces_their_share():
    found = projected([hit(session(2, Exit.TURN_LIMIT, turns=30, usd_micros=9000))])
    assert found.more_usd_micros == sum(1000 + 100 * turn for turn in range(30, 40))
    assert found.instead_usd_micros == 3000


def test_a_context_that_would_be_full_leaves_fewer_turns():
    # 4000 + 29 x 1000 tokens at the end: 5 more turns until 38000.
    found = [hit(session(2, turns=6))]
    assert projected(found, context=38_000).finished == 0
    assert projected(found, context=39_000).finished == 1
    assert projected([hit(session(2, turns=6), series=[Used(30, 9, None)])], context=1).finished == 1


def test_a_session_without_recorded_turns_is_counted_and_not_priced():
    found = projected([hit(session(2, turns=5, usd_micros=700), series=[])])
    assert (found.finished, found.unpriced, found.more_usd_micros, found.instead_usd_micros) == (1, 1, 0, 0)
    assert "1 without recorded turns" in found.sureness


def test_a_projection_says_how_sure_it_is():
    assert projected([hit()]).sureness.startswith("nothing is known yet")
    assert projected([hit(session(2))]).sureness.startswith("of 1 only: anything from 27 to 100 %")
    assert projected([hit(session(2))] * 20).sureness == "from 88 to 100 %, nine times in ten"
