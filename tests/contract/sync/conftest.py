"""A booking system that answers what it is made to, and a reader of it whose time stands still unless it waits."""

from dataclasses import dataclass, field

import pytest
import urllib3
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from doubles.bookings.rest import create
from local.serve import running
from sync import settings
from sync.source import read
from wire.secret import Secret

HTTP = urllib3.PoolManager()


@dataclass
class Scripted:
    """A booking system that answers what it was told to, one answer a call, the last one again and again."""

    answers: list[object] = field(default_factory=list)
    asked: list[dict] = field(default_factory=list)
    headers: list[dict] = field(default_factory=list)

    def app(self):
        return Starlette(routes=[Route("/v1/bookings", self.answer, methods=["GET", "POST"])])

    async def answer(self, request):
        self.headers.append(dict(request.headers))
        self.asked.append(dict(request.query_params) | (await request.json() if request.method == "POST" else {}))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return answer if isinstance(answer, Response) else JSONResponse(answer)


@dataclass
class Time:
    """A clock that only waiting moves on."""

    seconds: float = 1000.0
    waits: list[float] = field(default_factory=list)

    def clock(self):
        return self.seconds

    def pause(self, seconds):
        self.waits.append(seconds)
        self.seconds += seconds


@pytest.fixture
def time():
    return Time()


@pytest.fixture
def outside(tmp_path, time):
    """What a reading has of the outside; the secret is `secret`'s."""
    return lambda secret="t": read.Outside(lambda _name: Secret(secret), tmp_path, time.clock, time.clock, time.pause)


@pytest.fixture
def bookings():
    system = Scripted()
    with running(system.app()) as url:
        system.url = url
        yield system


@pytest.fixture
def double(tmp_path):
    """The booking system's double with 60 bookings, and its secret."""
    (tmp_path / "double").mkdir()
    with running(create(tmp_path / "double", count=60)) as url:
        yield url, HTTP.request("GET", f"{url}/_local/token").json()["token"]


def configured(source, fields=None, **more):
    """The settings of a section with this source."""
    section = {"spreadsheet_id": "x", "source": source, **more}
    return settings.read(section | ({"fields": fields} if fields else {}))
