"""When the installer believes that the queue is ready: the dashboard proves it, or a release from before says so."""

import json
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from local.serve import running
from provision.onhost import asking


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
        found = asking.queue_problem(f"{url}/readyz")
    assert (found is None) is (problem is None)
    assert (problem or "") in (found or "")


def test_a_queue_is_asked_over_its_socket(tmp_path):
    path = tmp_path / "queue.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        asked = []

        def answer():
            with listener.accept()[0] as caller:
                asked.append(caller.recv(1000).split(b"\r\n")[0])
                caller.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 19\r\n\r\n{"status": "ready"}')

        thread = threading.Thread(target=answer)
        thread.start()
        assert asking.queue_problem(f"unix:{path}") is None
        thread.join()
    assert asked == [b"GET /readyz HTTP/1.1"]


def test_a_socket_at_which_nothing_answers_is_named(tmp_path):
    assert f"unix:{tmp_path}/none: [Errno 2]" in asking.queue_problem(f"unix:{tmp_path}/none")


def test_a_release_without_a_socket_is_asked_at_its_port(tmp_path):
    with answering("/readyz", 200, {"status": "ready"}) as url:
        assert asking.queue_problem(f"unix:{tmp_path}/none", url) is None
    assert f"unix:{tmp_path}/none" in asking.queue_problem(f"unix:{tmp_path}/none", "http://127.0.0.1:9")


@pytest.mark.process
def test_a_look_at_a_host_imports_no_http():
    """It comes as source, with each command: what it imports is compiled there each time."""
    seen = "import sys; from provision.onhost import probe; sys.exit('http.client' in sys.modules)"
    subprocess.run([sys.executable, "-c", seen], check=True, cwd=Path(__file__).parents[4])
