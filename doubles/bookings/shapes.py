"""The same bookings as other booking systems give them: eight usual shapes of API, each at an address of its own.

`/shapes/page`, `offset`, `link`, `next_url`, `no_total`, `nested`, `other_key`, `api_key`; and `/shapes/exchanged`,
whose token is exchanged at `/shapes/token`, asks by POST, and pages by a cursor.
"""

import secrets
from collections.abc import Callable
from typing import Any

from msgspec.structs import asdict
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from doubles.bookings.booking import Booking
from doubles.bookings.store import Store, Window
from doubles.reading import read_json

_SIZE = 25
"""Records of a page at most, whatever is asked for: as systems do that cap it without a word."""
BIG = 9_007_199_254_740_993
"""The first number of `other_key`: the next whole number after 2**53, which a double can't hold."""
TOKENS_A_DAY = 5


class Shapes:
    """The shapes over one store; `token` is the secret that each of them asks for."""

    def __init__(self, store: Store, token: str) -> None:
        self._store, self._token = store, token
        self.exchanged: list[str] = []

    def routes(self) -> list[Route]:
        """Return a route for each shape."""
        bearer = ("authorization", f"Bearer {self._token}")
        shapes: dict[str, Callable[[Request], Response]] = {
            "page": self.page,
            "offset": self.offset,
            "link": self.link,
            "next_url": self.next_url,
            "no_total": self.no_total,
            "nested": self.nested,
            "other_key": self.other_key,
        }
        return [
            *(Route(f"/shapes/{name}", _admitting(bearer, shape)) for name, shape in shapes.items()),
            Route("/shapes/api_key", _admitting(("x-api-key", self._token), self.page)),
            Route("/shapes/token", self.exchange, methods=["POST"]),
            Route("/shapes/exchanged", self.ask, methods=["POST"]),
        ]

    def page(self, request: Request) -> Response:
        """Number pages from 1."""
        found = self._all(request)
        start = (int(request.query_params.get("page", "1")) - 1) * _SIZE
        return JSONResponse({"data": found[start : start + _SIZE], "meta": {"total": len(found)}})

    def offset(self, request: Request) -> Response:
        """Count records from 0; the total is a text, as some systems have it."""
        found, start = self._all(request), int(request.query_params.get("offset", "0"))
        limit = min(_SIZE, int(request.query_params.get("limit", _SIZE)))
        return JSONResponse({"results": found[start : start + limit], "count": str(len(found))})

    def link(self, request: Request) -> Response:
        """Give a bare list, and the next page in the Link header (RFC 8288)."""
        found, start = self._all(request), int(request.query_params.get("start", "0"))
        links = [f'<{request.url.include_query_params(start=0)}>; rel="first"']
        if start + _SIZE < len(found):
            links.append(f'<{request.url.include_query_params(start=start + _SIZE)}>; rel="next"')
        return JSONResponse(found[start : start + _SIZE], headers={"Link": ", ".join(links)})

    def next_url(self, request: Request) -> Response:
        """Give the next page's address, without its host, in the answer."""
        found, start = self._all(request), int(request.query_params.get("start", "0"))
        more = start + _SIZE < len(found)
        following = f"{request.url.path}?start={start + _SIZE}" if more else None
        return JSONResponse({"items": found[start : start + _SIZE], "links": {"next": following}})

    def no_total(self, request: Request) -> Response:
        """Number pages from 0 and say nothing of their number: after the last one comes an empty one."""
        start = int(request.query_params.get("p", "0")) * _SIZE
        return JSONResponse(self._all(request)[start : start + _SIZE])

    def nested(self, request: Request) -> Response:
        """Nest records and values; days as 13/05/2026, amounts in cents, instants in UTC."""
        found = [
            {
                "reservation": {"number": each["id"], "state": each["status"]},
                "guest": {"name": each["guest"]} if each["guest"] else None,
                "stay": {
                    "from": "/".join(reversed(each["arrival"].split("-"))),
                    "until": f"{each['departure']}T10:00:00Z",
                },
                "rooms": [{"type": each["room_type"], "cents": round(float(each["rate"]) * 100)}],
            }
            for each in self._all(request)
        ]
        return JSONResponse({"response": {"reservations": found}})

    def other_key(self, request: Request) -> Response:
        """Name bookings by a number beyond 2**53."""
        found = [
            {"reservationNumber": BIG + place, **{key: value for key, value in each.items() if key != "id"}}
            for place, each in enumerate(self._all(request))
        ]
        return JSONResponse({"reservations": found})

    async def exchange(self, request: Request) -> Response:
        """POST: a token for the secret, five a day at most."""
        form = await request.form()
        if form.get("client_secret") != self._token or form.get("grant_type") != "client_credentials":
            return JSONResponse({"error": "invalid_client"}, 401)
        if len(self.exchanged) >= TOKENS_A_DAY:
            return JSONResponse({"error": "too_many_tokens"}, 429, headers={"Retry-After": "3600"})
        self.exchanged.append(secrets.token_urlsafe(24))
        return JSONResponse({"access_token": self.exchanged[-1], "expires_in": 86400})

    async def ask(self, request: Request) -> Response:
        """POST a JSON body with a cursor; only the last token is good."""
        if request.headers.get("authorization") != f"Bearer {self.exchanged[-1] if self.exchanged else ''}":
            return JSONResponse({"error": "token"}, 401)
        asked = read_json(dict[str, Any], await request.body())
        found, start = self._all(request), int(asked.get("after", "0"))
        more = start + _SIZE < len(found)
        return JSONResponse({"rows": found[start : start + _SIZE], "after": str(start + _SIZE), "more": more})

    def _all(self, request: Request) -> list[dict[str, Any]]:
        first, last = request.query_params.get("since", "0000-00-00"), request.query_params.get("until", "9999-99-99")
        return [_shown(booking) for booking in self._store.page(Window(first, last))]


def _shown(booking: Booking) -> dict[str, Any]:
    return asdict(booking)


def _admitting(header: tuple[str, str], shape: Callable[[Request], Response]) -> Callable[[Request], Response]:
    def answer(request: Request) -> Response:
        name, value = header
        if request.headers.get(name) != value:
            return JSONResponse({"error": "unauthorized"}, 401)
        return shape(request)

    return answer
