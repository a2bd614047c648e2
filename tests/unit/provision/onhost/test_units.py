"""When the installer believes that the queue is ready: the dashboard proves it, or a release from before says so."""

import json

import pytest
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from local.serve import running
from provision.onhost import units


def answering(path, status, body):
    async def answer(_request):
        return Response(json.dumps(body), status, media_type="application/json")

    return running(Starlette(routes=[Route(path, answer)]))


@pytest.mark.parametrize(
    ("path", "status", "body", "problem"),
    [
        ("/readyz", 200, {"status": "ready"}, None),
        ("/readyz", 503, {"detail": "queue.db was deleted or renamed"}, "queue.db was deleted or renamed"),
        ("/readyz", 200, {"status": "odd"}, "says 'odd'"),
        ("/readyz", 500, {}, "not ready"),
        ("/v1/health", 200, {"status": "ok"}, None),
        ("/elsewhere", 200, {"status": "ok"}, "not ready"),
    ],
)
def test_a_release_is_ready_when_its_queue_says_so(path, status, body, problem):
    with answering(path, status, body) as url:
        found = units.dashboard_problem(f"{url}/readyz")
    assert (found is None) is (problem is None)
    assert (problem or "") in (found or "")
