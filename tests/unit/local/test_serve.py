import contextlib
import json
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from local import serve
from tests import nagle

PROGRAM = """
from starlette.applications import Starlette
from local import serve
serve.run("double", Starlette(), serve.parser("double", 0).parse_args())
"""


def hello(_request):
    return PlainTextResponse("hello")


def start(port):
    command = [sys.executable, "-c", PROGRAM, "--port", str(port), "--site", "other", "--octet", "81"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_an_application_answers_while_the_block_runs_and_its_port_is_free_after_it():
    with serve.running(Starlette(routes=[Route("/", hello)])) as url:
        assert urllib.request.urlopen(url).read() == b"hello"
    host, port = url.removeprefix("http://").split(":")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)))


@pytest.mark.process
def test_a_program_answers_for_its_own_site():
    process = start(0)
    url = process.stdout.readline().split()[-1]
    with urllib.request.urlopen(f"{url}/_local/health") as answer:
        assert json.load(answer) == {"name": "double", "site": "other", "network": "10.81.0.0/16"}
    process.terminate()
    process.communicate(timeout=60)


def test_a_program_keeps_its_state_in_a_folder_of_its_site():
    given = serve.parser("double", 0).parse_args(["--site", "other"])
    assert serve.site("double", given).state == Path("/var/lib/other-local/double")
    given = serve.parser("double", 0).parse_args(["--state", "/kept"])
    assert serve.site("double", given).state == Path("/kept")


def test_an_answer_does_not_wait_for_the_acknowledgement_of_its_head():
    assert nagle.is_off(serve._listen("127.0.0.1", 0))


def test_an_idle_connection_outlives_the_pauses_of_a_client_on_a_busy_machine():
    assert serve._Server(Starlette()).config.timeout_keep_alive > 60


@pytest.mark.process
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_program_says_when_it_listens_and_ends_quietly(number):
    process = start(0)
    line = process.stdout.readline()
    assert line.startswith("double ready http://127.0.0.1:")
    process.send_signal(number)
    rest, log = process.communicate(timeout=60)
    assert (process.returncode, rest) == (0, "")
    assert "Traceback" not in log


@pytest.mark.process
def test_a_port_in_use_is_named_in_one_line():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = start(port)
        _, log = process.communicate(timeout=60)
    assert process.returncode == 1
    assert log.count("\n") == 1
    assert f"127.0.0.1:{port}" in log


# uvicorn ends the thread by SystemExit, which pytest would report as unhandled
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_application_that_cannot_start_is_reported_at_once():
    @contextlib.asynccontextmanager
    async def lifespan(_app):
        raise ValueError
        yield

    with pytest.raises(RuntimeError, match="did not start"), serve.running(Starlette(lifespan=lifespan)):
        pass
