"""A reader of the page: signed in by a link, as a browser is."""

import re
import time

from wire.client import Client


class Reader:
    """Loads pages of one dashboard."""

    def __init__(self, client: Client) -> None:
        self._pool = client._pool  # noqa: SLF001 - the page has no client of its own, and is at the same socket
        code = client.invite("bench").path.rpartition("/")[2]
        answer = self._pool.request(
            "POST",
            "/sign-in",
            fields={"code": code},
            encode_multipart=False,
            headers={"Origin": "http://localhost"},
            redirect=False,
        )
        found = re.match(r"[^;]+", answer.headers.get("Set-Cookie", ""))
        if not found:
            raise RuntimeError("the dashboard took no sign-in")
        self.headers = {"Cookie": found[0]}

    def look(self, path: str) -> tuple[float, int]:
        """Load a page; return its milliseconds and bytes."""
        began = time.perf_counter()
        answer = self._pool.request("GET", path, headers=self.headers, redirect=False)
        took = (time.perf_counter() - began) * 1000
        if answer.status != 200:
            raise RuntimeError(f"{path} cannot be read: {answer.status}")
        return took, len(answer.data)
