"""A reader of the page: signed in by a link, as a browser is."""

import re
import time

import urllib3

from wire.client import Client


class Reader:
    """Loads pages of one dashboard."""

    def __init__(self, client: Client, *, at_once: int = 1) -> None:
        self._url = client._url  # noqa: SLF001 - the page has no client of its own
        self._pool = urllib3.PoolManager(maxsize=at_once, retries=False)
        self._headers: dict[str, str] = {}
        code = client.invite("bench").path.rpartition("/")[2]
        answer = self._pool.request(
            "POST",
            f"{self._url}/sign-in",
            fields={"code": code},
            encode_multipart=False,
            headers={"Origin": self._url},
            redirect=False,
        )
        found = re.match(r"[^;]+", answer.headers.get("Set-Cookie", ""))
        if not found:
            raise RuntimeError("the dashboard took no sign-in")
        self._headers = {"Cookie": found[0]}

    def look(self, path: str) -> tuple[float, int]:
        """Load a page; return its milliseconds and bytes."""
        began = time.perf_counter()
        answer = self._pool.request("GET", self._url + path, headers=self._headers, redirect=False)
        took = (time.perf_counter() - began) * 1000
        if answer.status != 200:
            raise RuntimeError(f"{path} cannot be read: {answer.status}")
        return took, len(answer.data)
