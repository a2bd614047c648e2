"""When to try again, and when to give up with which words."""

import pytest

from agent.session.endings import Fault, Unavailable
from agent.session.retries import Cut, Rejected, Retries, retry_after


class HalfUp:
    """A random that is always in the middle."""

    def __call__(self):
        return 0.5


@pytest.fixture
def retries():
    return Retries(HalfUp(), lambda: 0.0)


def test_waiting_grows_with_each_try_and_ends(retries):
    waits = [retries.after(Rejected(529, "overloaded")) for _ in range(5)]
    assert waits == [0.75, 1.5, 3.0, 6.0, 12.0]
    with pytest.raises(Unavailable, match="failed 6 times in a row, the last time so: overloaded") as raised:
        retries.after(Rejected(529, "overloaded"))
    assert raised.value.handed["not_before"] == "1970-01-01T00:02:00Z"


def test_a_cut_is_tried_less_often_for_it_costs(retries):
    assert [retries.after(Cut("half")) for _ in range(2)] == [0.75, 1.5]
    with pytest.raises(Unavailable):
        retries.after(Cut("half"))


def test_a_success_counts_anew(retries):
    retries.after(Cut("half"))
    retries.after(Cut("half"))
    retries.succeeded()
    assert retries.after(Cut("half")) == 0.75


@pytest.mark.parametrize("status", [0, 408, 409, 429, 500, 502, 503, 504, 529])
def test_what_may_pass_is_tried_again(retries, status):
    assert retries.after(Rejected(status, "busy")) == 0.75


def test_a_short_retry_after_is_obeyed_and_a_long_one_suspends(retries):
    assert retries.after(Rejected(429, "slow down", retry_after=59)) == 59
    with pytest.raises(Unavailable, match="come back later") as raised:
        retries.after(Rejected(429, "slow down", retry_after=86_400))
    assert raised.value.handed["not_before"] == "1970-01-02T00:00:00Z"


def test_pauses_that_are_asked_for_end_as_others_do(retries):
    assert [retries.after(Rejected(429, "slow down", retry_after=2)) for _ in range(5)] == [2] * 5
    with pytest.raises(Unavailable, match="failed 6 times in a row, the last time so: slow down") as raised:
        retries.after(Rejected(429, "slow down", retry_after=2))
    assert raised.value.handed["host_wide"]


@pytest.mark.parametrize("header", ["inf", "999999999999", "1e400", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_no_retry_after_is_longer_than_a_day(retries, header):
    with pytest.raises(Unavailable) as raised:
        retries.after(Rejected(529, "busy", retry_after=retry_after(header, 0.0)))
    assert raised.value.handed["not_before"] == "1970-01-02T00:00:00Z"


@pytest.mark.parametrize(
    ("status", "cure"), [(401, "fab secrets"), (402, "billing"), (403, "fab secrets"), (404, "`model`")]
)
def test_a_key_that_does_not_open_is_reported_with_its_cure_and_the_task_waits(retries, status, cure):
    with pytest.raises(Unavailable, match=cure) as raised:
        retries.after(Rejected(status, "no"))
    assert raised.value.handed["not_before"] == "1970-01-01T00:15:00Z"


def test_a_400_for_want_of_credit_is_reported_as_such_and_the_task_waits(retries):
    error = Rejected(400, "Your credit balance is too low to access the Anthropic API.")
    assert not error.of_conversation
    with pytest.raises(Unavailable, match="billing"):
        retries.after(error)


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_request_that_can_never_pass_is_a_fault_with_the_apis_words(retries, status):
    with pytest.raises(Fault, match=f"{status} the words"):
        retries.after(Rejected(status, "the words"))


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("12", 12),
        ("1.5", 1.5),
        ("-3", 0),
        ("soon", None),
        ("nan", None),
        ("Thu, 01 Jan 1970 00:01:00 GMT", 60),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
    ],
)
def test_retry_after_is_seconds_or_a_date(header, seconds):
    assert retry_after(header, now=0.0) == seconds
