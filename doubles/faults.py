"""What can go wrong with a vendor, on request: `/_local/faults` of every double.

`POST` orders a fault (the fields of `Fault` and those that the vendor adds), `GET` shows the orders and how many
answers are held, `DELETE` ends all orders and releases what is held.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar

import msgspec
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from doubles.reading import Invalid, read_json


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What calls suffer that have `match` in their text: a silence of `hang_s` seconds, or one until `DELETE` (`hold`).

    It hits the next `times` of them; 0 means all until it is ended, or until another one is ordered in its place.
    """

    times: Annotated[int, Meta(ge=0, le=100_000)] = 0
    match: str = ""
    hang_s: Annotated[float, Meta(ge=0, le=3600)] = 0.0
    hold: bool = False


F = TypeVar("F", bound=Fault)


@dataclass
class _Order(Generic[F]):
    fault: F
    left: int


class Faults(Generic[F]):
    """The faults ordered of one double, `kind` being the vendor's own; lost when the double restarts."""

    def __init__(self, kind: type[F]) -> None:
        self._kind = kind
        self._orders: list[_Order[F]] = []
        self._written: Counter[str] = Counter()
        self._released = asyncio.Event()
        self._held = 0

    def routes(self) -> list[Route]:
        """Return the control calls."""
        return [Route("/_local/faults", self._control, methods=["GET", "POST", "DELETE"])]

    async def meet(self, text: str = "", suits: Callable[[F], bool] = lambda _fault: True) -> F | None:
        """Return the fault of the call that is answered now, once its silence is over; `text` is what was asked.

        The vendor's own conditions are in `suits`.
        """
        return await self._suffered(self._take(lambda fault: fault.match in text and suits(fault)))

    async def meet_written(self, place: str, fault: F) -> F | None:
        """Return the fault that is written before an answer, `place` being a name for it: the first `times`, at least
        once.
        """
        self._written[place] += 1
        return await self._suffered(fault if self._written[place] <= max(1, fault.times) else None)

    async def _suffered(self, fault: F | None) -> F | None:
        if fault and fault.hang_s:
            await asyncio.sleep(fault.hang_s)
        if fault and fault.hold:
            await self._hold()
        return fault

    def _take(self, hits: Callable[[F], bool]) -> F | None:
        """Take the oldest order that is counted, else the latest that is not: it stands in place of those before."""
        # `match` and `suits` first: an order for another call must not be used up by this one.
        fitting = [order for order in self._orders if hits(order.fault)]
        if not fitting:
            return None
        # Counted ones first: a standing order would keep them from ever being met.
        order = next((order for order in fitting if order.fault.times), fitting[-1])
        if order.fault.times:
            order.left -= 1
            if not order.left:
                self._orders.remove(order)
        return order.fault

    async def _hold(self) -> None:
        released = self._released
        self._held += 1
        try:
            await released.wait()
        finally:
            self._held -= 1

    async def _control(self, request: Request) -> Response:
        if request.method == "DELETE":
            self._orders.clear()
            self._released.set()
            # What is held from now on waits for the next DELETE.
            self._released = asyncio.Event()
        if request.method == "POST":
            try:
                fault = read_json(self._kind, await request.body())
            except Invalid as error:
                return refused(error)
            self._orders.append(_Order(fault, fault.times))
        orders: list[dict[str, Any]] = [{**msgspec.to_builtins(o.fault), "left": o.left} for o in self._orders]
        return JSONResponse({"faults": orders, "held": self._held})


async def asked(request: Request) -> str:
    """Return what `match` is looked for in: the call's path, query and body."""
    return f"{request.url.path}?{request.url.query} {(await request.body()).decode(errors='replace')}"


def refused(error: Invalid) -> Response:
    """Answer a control call that makes no sense, in the same form everywhere."""
    return JSONResponse({"field": error.field, "reason": error.reason}, 400)
