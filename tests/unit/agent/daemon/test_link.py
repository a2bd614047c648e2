import http

import pytest

from agent.daemon.link import DashboardAway, Link
from wire.client import Client, RequestRefused, Unreachable
from wire.secret import Secret
from wire.types import Problem


class Answers:
    """What a dashboard says, call by call: an error is raised, anything else is returned."""

    def __init__(self, *answers):
        self.answers, self.asked = list(answers), 0

    def __call__(self, _client):
        self.asked += 1
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def link():
    return Link(Client("http://127.0.0.1:9", Secret("t"), retries=0))


def refused(status):
    return RequestRefused(Problem(title=http.HTTPStatus(status).phrase, status=status))


def test_an_answer_is_handed_on(link):
    assert link(Answers("yes")) == "yes"


@pytest.mark.parametrize("error", [Unreachable("gone"), refused(401), refused(429), refused(503)])
def test_what_passes_is_away_and_not_asked_again_within_the_pause(link, error, caplog):
    answers = Answers(error, "never asked for")
    for _ in range(5):
        with pytest.raises(DashboardAway):
            link(answers)
    assert (answers.asked, len(caplog.records)) == (1, 1)


@pytest.mark.parametrize("status", [404, 409, 422])
def test_a_definite_no_is_handed_on_and_closes_nothing(link, status):
    with pytest.raises(RequestRefused):
        link(Answers(refused(status)))
    assert link(Answers("yes")) == "yes"


def test_it_really_asks_through_the_client(link):
    with pytest.raises(DashboardAway):
        link(lambda client: client.health())
