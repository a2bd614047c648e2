"""A reader of the page: signed in by a link, as a browser is, over the dashboard's socket."""

import re
import time
from urllib.parse import urlencode

from wire.client import Client

ORIGIN = "http://localhost"


class Reader:
    """Loads pages of one dashboard; `cookie` is what its sign-in gave."""

    def __init__(self, client: Client) -> None:
        self._transport = client._transport  # noqa: SLF001 - the page has no client of its own
        code = client.invite("bench").path.rpartition("/")[2]
        headers = {"Origin": ORIGIN, "Content-Type": "application/x-www-form-urlencoded"}
        answer = self._transport.request("POST", "/sign-in", urlencode({"code": code}).encode(), headers)
        found = re.match(r"[^;]+", answer.headers.get("set-cookie", ""))
        if not found:
            raise RuntimeError(f"signing in was answered by {answer.status}")
        self.cookie = found[0]

    def look(self, path: str) -> tuple[float, int]:
        """Load a page; return its milliseconds and bytes."""
        began = time.perf_counter()
        answer = self._transport.request("GET", path, None, {"Cookie": self.cookie})
        took = (time.perf_counter() - began) * 1000
        if answer.status != 200:
            raise RuntimeError(f"{path} cannot be read: {answer.status}")
        return took, len(answer.data)
