"""Calls over TCP, with TLS or without: by urllib3, which takes 10 MB with what it imports."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import urllib3

from wire.exchange import AGAIN, JOINED_LIMIT, PAUSE_S, Answer, NoAnswer


class _Connection(urllib3.connection.HTTPConnection):
    """Sends a request's head and its body at once: each by itself would wake the dashboard for half a request."""

    _held: list[bytes] | None = None

    def request(self, *args: Any, **kwargs: Any) -> None:
        """Send a request."""
        held: list[bytes] = []
        self._held = held
        super().request(*args, **kwargs)
        self._held = None
        # Joining copies: files of megabytes go as they are.
        for part in [b"".join(held)] if sum(len(part) for part in held) <= JOINED_LIMIT else held:
            self.send(part)

    def send(self, data: Any) -> None:
        """Send bytes, or hold them until their request is whole."""
        if self._held is None:
            super().send(data)
        else:
            self._held.append(data)


class OverTcp:
    """The way to an address like https://host/path."""

    def __init__(self, url: str, timeout_s: float, retries: int) -> None:
        retry = urllib3.Retry(
            total=retries,
            backoff_factor=PAUSE_S,
            status_forcelist=AGAIN,
            # POST too: every write of this API may be sent twice.
            allowed_methods=None,
            # The last answer is wanted itself, for its problem document.
            raise_on_status=False,
            # A proxy that asks for minutes would hold up heartbeats: callers pause by themselves.
            respect_retry_after_header=False,
        )
        # Not a PoolManager: it reads the address and looks for the host's pool anew with each call.
        self._pool = urllib3.connection_from_url(url, timeout=timeout_s, retries=retry)
        self._prefix = urlsplit(url).path
        if self._pool.scheme == "http":
            self._pool.ConnectionCls = _Connection

    def request(self, method: str, target: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
        """Make a call; raises `NoAnswer` once the tries are used up."""
        try:
            answer = self._pool.request(method, self._prefix + target, body=body, headers=headers)
        except urllib3.exceptions.HTTPError as error:
            raise NoAnswer(str(error)) from error
        return Answer(answer.status, {name.lower(): value for name, value in answer.headers.items()}, answer.data)
