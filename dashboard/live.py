"""What open pages hear as it happens: server-sent events, made once for all who read the same page.

A reader waits for what it has not heard yet of its topic; nothing is queued for it, so one that is slow hears less and
costs no more. Without readers nothing is asked of the queue.
"""

import asyncio
import contextlib
import hashlib
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from anyio import CapacityLimiter, to_thread
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

log = logging.getLogger(__name__)

READERS = 512
"""Readers at once: fewer than there may be connections, so that pages that stay open leave room for the worker."""
EVERY_S = 2.0
"""How often the queue is asked while somebody reads."""
LIFE_S = 600.0
"""How long one stream lasts: the browser asks again, and who may read is looked at anew."""
QUIET_S = 25.0
"""After how long without news a line is sent: it keeps the way open, and finds a reader that went without a word."""
AGAIN_MS = 3000
"""How soon a browser asks again once a stream has ended."""

Render = Callable[[str, int], Mapping[str, str]]
"""From a topic and the number of the look to its parts by name; a part that is left out is as it was. It blocks."""


def mark(text: str) -> str:
    """Return a short name of a part's content; how long ago something was is not in it: the page counts by itself."""
    still = re.sub(r'(<span class="ago"[^>]*>)[^<]*', r"\1", text)
    return hashlib.sha256(still.encode()).hexdigest()[:12]


@dataclass(slots=True)
class Topic:
    """What is known of one page: each part with its mark, and who waits for a change."""

    parts: dict[str, tuple[str, str]] = field(default_factory=dict)
    readers: int = 0
    looks: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def learn(self, found: Mapping[str, str]) -> None:
        """Keep what was found, and wake those who wait where it is new."""
        new = {name: (mark(text), text) for name, text in found.items()}
        if any(self.parts.get(name) != part for name, part in new.items()):
            self.parts |= new
            self.wake()

    def wake(self) -> None:
        """Let all who wait look again."""
        self.changed.set()
        self.changed = asyncio.Event()


class Live:
    """The topics that are read, and one task that asks for their news. To be used on the event loop only."""

    def __init__(self, render: Render, every_s: float = EVERY_S, most: int = READERS) -> None:
        self._render = render
        self._every_s = every_s
        self._most = most
        self._topics: dict[str, Topic] = {}
        self._asking: asyncio.Task[None] | None = None
        self._threads = CapacityLimiter(1)
        self._closed = False

    @property
    def readers(self) -> int:
        """How many read."""
        return sum(topic.readers for topic in self._topics.values())

    def close(self) -> None:
        """End all streams: a restart must not wait for pages that stay open."""
        self._closed = True
        for topic in self._topics.values():
            topic.wake()
        if self._asking:
            self._asking.cancel()

    def stream(self, name: str, seen: Mapping[str, str]) -> "Stream":
        """Return a stream of a topic's parts to one who has seen some of them; raises HTTPException 503 when too many
        read.
        """
        if self.readers >= self._most or self._closed:
            message = f"{self.readers} pages are live already, or the dashboard ends: this one shows what was loaded"
            raise HTTPException(503, message, headers={"Retry-After": "10"})
        return Stream(self, name, dict(seen))

    @contextlib.contextmanager
    def reading(self, name: str) -> Iterator[Topic]:
        """Count a reader of a topic while it reads."""
        topic = self._topics.setdefault(name, Topic())
        topic.readers += 1
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask())
        try:
            yield topic
        finally:
            topic.readers -= 1
            if not topic.readers:
                self._topics.pop(name, None)

    @property
    def is_closed(self) -> bool:
        """Whether streams end."""
        return self._closed

    async def _ask(self) -> None:
        """Ask for news again and again while somebody reads; a failure is logged and must not end it."""
        while self._topics:
            for name, topic in [*self._topics.items()]:
                looks, topic.looks = topic.looks, topic.looks + 1
                try:
                    topic.learn(await to_thread.run_sync(self._render, name, looks, limiter=self._threads))
                except Exception:
                    log.exception("the live page %s could not be made; it is tried again in %s s", name, self._every_s)
            await asyncio.sleep(self._every_s)


class Stream:
    """One reader's answer, as an ASGI application: by hand, because a framework's response takes two tasks more."""

    def __init__(self, live: Live, name: str, seen: dict[str, str]) -> None:
        self._live = live
        self._name = name
        self._seen = seen

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Send news until the reader goes, the stream has lasted its time, or the dashboard ends."""
        headers = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"x-accel-buffering", b"no")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": f"retry: {AGAIN_MS}\n\n".encode(), "more_body": True})
        sending = asyncio.create_task(self._send(send))
        leaving = asyncio.create_task(_gone(receive))
        try:
            await asyncio.wait({sending, leaving}, timeout=LIFE_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sending, leaving):
                task.cancel()
            await asyncio.gather(sending, leaving, return_exceptions=True)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send(self, send: Send) -> None:
        with self._live.reading(self._name) as topic:
            while not self._live.is_closed:
                changed = topic.changed
                await send({"type": "http.response.body", "body": self._news(topic) or b":\n\n", "more_body": True})
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(QUIET_S):
                        await changed.wait()

    def _news(self, topic: Topic) -> bytes:
        """Return what this reader has not heard yet, as events; it counts as heard."""
        events = []
        for name, (what, text) in topic.parts.items():
            if self._seen.get(name) != what:
                self._seen[name] = what
                lines = "\n".join(f"data: {line}" for line in text.splitlines())
                events.append(f"event: {name}\n{lines}\n\n")
        return "".join(events).encode()


async def _gone(receive: Receive) -> None:
    """Wait until the reader goes; what comes before is the end of its request."""
    while (await receive())["type"] != "http.disconnect":
        pass
