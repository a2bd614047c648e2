"""The relay changes nothing of a call but the connection it travels on."""

import json
import os
import subprocess
import sys

import pytest
import urllib3
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route

from local import relay, serve


async def echo(request: Request):
    seen = {
        "method": request.method,
        "url": request.url.path + "?" + request.url.query,
        "key": request.headers["x-api-key"],
    }
    return JSONResponse({**seen, "body": (await request.body()).decode()}, 429, {"retry-after": "7"})


def events(_request):
    return StreamingResponse(iter(["event: ping\n\n", "event: message_stop\n\n"]), media_type="text/event-stream")


@pytest.fixture
def url():
    api = Starlette(routes=[Route("/v1/messages", echo, methods=["POST"]), Route("/events", events)])
    with serve.running(api) as target, serve.running(relay.create(target)) as url:
        yield url


def test_a_call_arrives_whole_and_its_answer_comes_back_whole(url):
    answer = urllib3.request(
        "POST", f"{url}/v1/messages?beta=true", body=b"{}", headers={"x-api-key": "k"}, retries=False
    )
    assert (answer.status, answer.headers["retry-after"]) == (429, "7")
    assert json.loads(answer.data) == {"method": "POST", "url": "/v1/messages?beta=true", "key": "k", "body": "{}"}


def test_a_stream_comes_through(url):
    assert urllib3.request("GET", f"{url}/events").data == b"event: ping\n\nevent: message_stop\n\n"


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_an_order_to_the_double_goes_to_no_real_api(url, method):
    answer = urllib3.request(method, f"{url}/_local/faults", retries=False)
    assert answer.status == 404
    assert "a double's order" in answer.json()["error"]["message"]


def test_an_api_that_is_away_is_reported_in_the_apis_own_form():
    with serve.running(relay.create("http://127.0.0.1:1")) as url:
        answer = urllib3.request("GET", f"{url}/v1/models", retries=False)
    assert answer.status == 502
    assert "can't be reached" in answer.json()["error"]["message"]


NETWORK = "ip link set lo up; echo up; exec sleep 60"
ASK = """
import urllib.request as u
for path in ("_local/health", "v1/events"):
    print(u.urlopen(f"http://127.0.0.1:8701/{path}").read())
"""


@pytest.mark.root
def test_it_listens_in_one_network_and_calls_from_another():
    api = Starlette(routes=[Route("/v1/events", events)])
    network = ["unshare", "--net", "sh", "-c", NETWORK]
    with serve.running(api) as target, subprocess.Popen(network, stdout=subprocess.PIPE) as inner:
        inside = ["nsenter", f"--net=/proc/{inner.pid}/ns/net", sys.executable]
        outside = ["--outside", f"/proc/{os.getpid()}/ns/net", "--to", target]
        # There is a network before there is 127.0.0.1 in it.
        assert inner.stdout.readline() == b"up\n"
        with subprocess.Popen([*inside, "-m", "local.relay", *outside], stdout=subprocess.PIPE) as started:
            try:
                assert b"ready" in started.stdout.readline()
                said = subprocess.run([*inside, "-c", ASK], capture_output=True, text=True, timeout=30, check=True)
            finally:
                started.terminate()
                inner.kill()
    assert '"name":"claude"' in said.stdout
    assert "message_stop" in said.stdout
