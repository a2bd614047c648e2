"""google-auth's way to the network, over urllib3: its own ones bring requests, some 10 MB, with them."""

from collections.abc import Mapping
from typing import Any

import google.auth.exceptions
import google.auth.transport
import urllib3

TIMEOUT_S = (5, 60)
"""To connect, and between two bytes of an answer."""


class _Response(google.auth.transport.Response):
    def __init__(self, answer: urllib3.BaseHTTPResponse) -> None:
        self._answer = answer

    @property
    def status(self) -> int:
        return self._answer.status

    @property
    def headers(self) -> Mapping[str, str]:
        return self._answer.headers

    @property
    def data(self) -> bytes:
        return self._answer.data


class Request(google.auth.transport.Request):
    """Makes one call, without retries; its failure is google-auth's `TransportError`."""

    def __init__(self) -> None:
        # google-auth waits two minutes unless a timeout is given.
        self._pool = urllib3.PoolManager(timeout=urllib3.Timeout(*TIMEOUT_S), retries=False)

    def __call__(
        self,
        url: str,
        method: str = "GET",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,  # noqa: ARG002 - ours is meant
        **_more: Any,
    ) -> _Response:
        """Make the call. Raises `TransportError`."""
        try:
            return _Response(self._pool.request(method, url, body=body, headers=headers))
        except urllib3.exceptions.HTTPError as error:
            raise google.auth.exceptions.TransportError(error) from error  # type: ignore[no-untyped-call]
