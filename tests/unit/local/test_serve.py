import contextlib
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from local import serve

PROGRAM = """
import sys
from starlette.applications import Starlette
from local import serve
serve.run("double", Starlette(), "127.0.0.1", int(sys.argv[1]))
"""


def hello(_request):
    return PlainTextResponse("hello")


def start(port):
    command = [sys.executable, "-c", PROGRAM, str(port)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_an_application_answers_while_the_block_runs_and_its_port_is_free_after_it():
    with serve.running(Starlette(routes=[Route("/", hello)])) as url:
        assert urllib.request.urlopen(url).read() == b"hello"
    host, port = url.removeprefix("http://").split(":")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_program_says_when_it_listens_and_ends_quietly(number):
    process = start(0)
    line = process.stdout.readline()
    assert line.startswith("double ready http://127.0.0.1:")
    process.send_signal(number)
    rest, log = process.communicate(timeout=10)
    assert (process.returncode, rest) == (0, "")
    assert "Traceback" not in log


def test_a_port_in_use_is_named_in_one_line():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = start(port)
        _, log = process.communicate(timeout=10)
    assert process.returncode == 1
    assert log.count("\n") == 1
    assert f"127.0.0.1:{port}" in log


# uvicorn ends the thread by SystemExit, which pytest would report as unhandled
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_application_that_cannot_start_is_told_at_once():
    @contextlib.asynccontextmanager
    async def lifespan(_app):
        raise ValueError
        yield

    with pytest.raises(RuntimeError, match="did not start"), serve.running(Starlette(lifespan=lifespan)):
        pass
