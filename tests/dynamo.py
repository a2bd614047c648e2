"""DynamoDB Local for tests: one server for all processes of a run, started when the first asks; a table for each test.

A server takes 20 s of CPU until its Java is warm: one for each process took four times that. It is started and ended by
the process that lives longest, the one that gives out the tests.

`Wire` stands below botocore: it counts what is called and consumed, and lets a call go wrong before or after it is
carried out.
"""

import atexit
import contextlib
import functools
import io
import json
import tempfile
import threading
import uuid
from collections import Counter, deque
from pathlib import Path

import boto3
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import ReadTimeoutError
from botocore.httpsession import URLLib3Session

from dashboard.stores.dynamodb import layout
from dashboard.stores.dynamodb.store import DynamoStore
from dashboard.stores.dynamodb.table import Table
from local import dynamodb, tools
from local.steps import Steps
from tests import shared

_running = contextlib.ExitStack()
_addresses: list[str] = []


class _Body(io.BytesIO):
    def stream(self, **_):
        yield self.read()


def refusal(request, status, code):
    """What DynamoDB answers when it refuses."""
    body = json.dumps({"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": "made up"}).encode()
    return AWSResponse(request.url, status, {}, _Body(body))


def answer(text):
    """An answer of 200."""
    return AWSResponse("http://127.0.0.1", 200, {}, _Body(text.encode()))


class Wire:
    """Counts calls and units, and makes calls go wrong: each of `faults` is used up by one call that writes.

    `throttled` and `500` refuse it; `500 after` and `lost after` carry it out, and then answer wrongly or not at all. A
    function is called before it is carried out, and given what carries it out.
    """

    def __init__(self):
        self.calls = Counter()
        self.units = Counter()
        self.faults = deque()
        self._lock = threading.Lock()
        self._session = URLLib3Session(timeout=20, max_pool_connections=16)

    def watch(self, made):
        events = made.meta.events
        events.register("before-parameter-build.dynamodb", self._ask)
        events.register("before-send.dynamodb", self._send)
        events.register("after-call.dynamodb", self._answered)

    def _ask(self, params, model, **_):
        if "ReturnConsumedCapacity" in model.input_shape.members:
            params["ReturnConsumedCapacity"] = "TOTAL"

    def _answered(self, parsed, model, **_):
        found = parsed.get("ConsumedCapacity") or []
        kind = "read" if model.name in ("GetItem", "BatchGetItem", "Query") else "write"
        with self._lock:
            for each in found if isinstance(found, list) else [found]:
                self.units[kind] += each["CapacityUnits"]

    def _send(self, request, **_):
        call = request.headers["X-Amz-Target"].decode().rpartition(".")[2]
        is_write = call not in ("GetItem", "BatchGetItem", "Query", "CreateTable")
        with self._lock:
            self.calls[call] += 1
            fault = self.faults.popleft() if is_write and self.faults else None
        if fault == "throttled":
            return refusal(request, 400, "ProvisionedThroughputExceededException")
        if fault == "500":
            return refusal(request, 500, "InternalServerError")
        if callable(fault):
            return fault(lambda: self._session.send(request))
        if fault:
            self._session.send(request)
        if fault == "500 after":
            return refusal(request, 500, "InternalServerError")
        if fault == "lost after":
            raise lost()
        return None


def lost():
    """What botocore raises when no answer came."""
    return ReadTimeoutError(endpoint_url="http://127.0.0.1")


def address():
    """The server's address."""
    if not _addresses:
        _addresses.append(shared.asked() if shared.is_elsewhere() else _started())
    return _addresses[0]


def _started():
    """Start the server; it ends with this process."""
    atexit.register(_running.close)
    folder = Path(_running.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
    library = tools.dynamodb(Steps(folder / "logs"))
    return _running.enter_context(dynamodb.running(library, folder, in_memory=True))


def client(url, *, attempts=4, timeout_s=20):
    """boto3's client as the store's own, for a server on this machine."""
    return boto3.client(
        "dynamodb",
        endpoint_url=url,
        region_name="eu-west-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
        config=Config(
            retries={"mode": "standard", "total_max_attempts": attempts},
            read_timeout=timeout_s,
            max_pool_connections=16,
        ),
    )


def new_table(made):
    """Make an empty table, and return its name; `table` is for all that need it for a while only."""
    name = f"queue-{uuid.uuid4()}"
    made.create_table(**layout.definition(name))
    return name


@contextlib.contextmanager
def table(made):
    """Yield the name of an empty table, which goes with the block.

    DynamoDB Local looks at each table that is there, all the time: 300 of them take it 7 % of a processor.
    """
    name = new_table(made)
    try:
        yield name
    finally:
        # By a client of its own: what a test does to the calls of its client is not for this one.
        with contextlib.suppress(_maker().exceptions.ResourceNotFoundException):
            _maker().delete_table(TableName=name)


@functools.cache
def _maker():
    return client(address())


class _Store(DynamoStore):
    """A store whose table goes when it is closed."""

    def __init__(self, opened, table, **options):
        self._goes = opened
        super().__init__(table, **options)

    def close(self):
        super().close()
        self._goes.close()


def store(wire=None, **options):
    """A store over a new table, whose candidates of one rank come by age."""
    made = client(address())
    opened = contextlib.ExitStack()
    name = opened.enter_context(table(made))
    if wire:
        wire.watch(made)
    options.setdefault("shuffle", lambda _: None)
    return _Store(opened, Table(made, name, pause=lambda _: None), **options)
