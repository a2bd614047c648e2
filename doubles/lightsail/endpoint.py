"""The HTTP side: JSON 1.1, the call named by a header, every answer checked against the vendor's contract."""

import contextlib
import functools
import json
import logging
import re
import time
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from doubles.faults import Faults, asked
from doubles.lightsail import contract
from doubles.lightsail.access import Authority
from doubles.lightsail.calls import CALLS
from doubles.lightsail.claim import Claim
from doubles.lightsail.cloud import Cloud
from doubles.lightsail.errors import AwsError, not_built
from doubles.lightsail.faults import Fault
from doubles.lightsail.jobs import Jobs
from doubles.lightsail.ledger import Ledger
from doubles.lightsail.store import Store
from local import hosts
from local.hosts.image import USUAL
from local.site import Site

LOG = logging.getLogger(__name__)
_SCOPE = re.compile(r"Credential=[^/]+/\d{8}/([a-z0-9-]+)/lightsail/aws4_request")


def create(
    state: Path,
    image: Path | Mapping[str, Path],
    site: Site,
    *,
    region: str = "us-east-1",
    old_certificates: bool = False,
    clock: Callable[[], float] = time.time,
) -> Starlette:
    """Make the application of a site, its records in `state`, hosts from `image`: the usual blueprint's, or each one's.
    It acts on its `state.cloud`.
    """
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    store, claim = Store(state / "lightsail.sqlite"), Claim()
    authority = Authority.at(state / "ca.pem", old=old_certificates)
    images = {USUAL: image} if isinstance(image, Path) else image
    cloud = Cloud(site, images, region, store, authority, claim, clock)
    jobs, faults, ledger = Jobs(cloud), Faults(Fault), Ledger(store)

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        cloud.load_firewall()
        jobs.start()
        yield
        await run_in_threadpool(jobs.close)
        if cloud.made_network:
            # Before the claim is released: another double of this site would lose what it has just made.
            await run_in_threadpool(hosts.sweep, site)
        claim.release()
        store.close()

    routes = [
        Route("/", functools.partial(_answer, cloud, Desk(jobs, faults, ledger)), methods=["POST"]),
        Route("/_local/cut/{name}", functools.partial(_cut, jobs), methods=["POST"]),
        *faults.routes(),
        *ledger.routes(),
    ]
    app = Starlette(routes=routes, lifespan=lifespan)
    app.state.cloud = cloud
    return app


@dataclass(frozen=True, slots=True)
class Desk:
    """What stands beside the cloud while a call is answered."""

    jobs: Jobs
    faults: Faults[Fault]
    ledger: Ledger


async def _answer(cloud: Cloud, desk: Desk, request: Request) -> Response:
    target, body = request.headers.get("x-amz-target", ""), await request.body()
    try:
        _require_scope(cloud, request)
        if fault := await desk.faults.meet(f"{target} {await asked(request)}"):
            fault.require_none()
        return _json(await run_in_threadpool(call, cloud, desk.jobs, target, body, desk.ledger), HTTPStatus.OK)
    except AwsError as error:
        LOG.info("%s refused: %s: %s", target, error.code, error)
        return _error(error.code, str(error), error.status)
    except Exception:
        LOG.exception("%s failed", target)
        message = "The local Lightsail failed; its log says why."
        return _error("ServiceException", message, HTTPStatus.INTERNAL_SERVER_ERROR)


async def _cut(jobs: Jobs, request: Request) -> Response:
    """Cut an instance's power, which no call of the vendor does: for tests and the demo."""
    try:
        await run_in_threadpool(jobs.cut, request.path_params["name"])
    except AwsError as error:
        return _error(error.code, str(error), error.status)
    return _json({}, HTTPStatus.OK)


def call(cloud: Cloud, jobs: Jobs, target: str, body: bytes, ledger: Ledger | None = None) -> dict[str, Any]:
    """Do one call and note it; `target` is the header's text and `body` JSON. Raises `AwsError`."""
    wanted = contract.operation(target)
    try:
        params = json.loads(body or b"{}")
    except ValueError as error:
        raise AwsError("SerializationException", f"The body is not JSON: {error}") from None
    request = contract.check_input(wanted, params)
    if ledger:
        ledger.write(wanted.name, request)
    function = CALLS.get(wanted.name)
    if function is None:
        raise not_built(wanted.name)
    # One transaction with the check of the answer: a defect of ours must not leave half a change.
    with cloud.store.transaction():
        result = function(cloud, request)
        contract.check_output(wanted, result)
    # After the commit: a change that is rolled back must begin no job.
    jobs.submit()
    return result


def _require_scope(cloud: Cloud, request: Request) -> None:
    """Refuse what the vendor would before it looks at the call: no signature, or one for another region."""
    given = request.headers.get("authorization", "")
    if not given:
        raise AwsError("MissingAuthenticationTokenException", "The request is not signed.", HTTPStatus.FORBIDDEN)
    scope = _SCOPE.search(given)
    if scope is None or scope[1] != cloud.region:
        raise AwsError(
            "InvalidSignatureException",
            f"The signature's scope is not lightsail in {cloud.region}, which this endpoint serves.",
            HTTPStatus.FORBIDDEN,
        )


def _error(code: str, message: str, status: HTTPStatus) -> Response:
    # Clients read the code from the header or from either field of the body, each in its own order.
    return _json({"__type": code, "code": code, "message": message}, status, {"x-amzn-ErrorType": code})


def _json(content: dict[str, Any], status: HTTPStatus, headers: dict[str, str] | None = None) -> Response:
    ids = {"x-amzn-RequestId": str(uuid.uuid4())}
    return Response(json.dumps(content), status, {**ids, **(headers or {})}, media_type="application/x-amz-json-1.1")
