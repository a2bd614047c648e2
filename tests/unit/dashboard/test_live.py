"""Streams of live pages, read as ASGI sends them."""

import asyncio

import pytest
from starlette.exceptions import HTTPException

from dashboard import live
from dashboard.live import Live


class Reader:
    """One who reads a stream until told to leave."""

    def __init__(self, stream):
        self.heard, self.came = b"", asyncio.Event()
        self.is_over = False
        self.leaving = asyncio.Event()
        self.task = asyncio.create_task(stream({}, self._receive, self._send))

    async def _receive(self):
        await self.leaving.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message):
        self.heard += message.get("body", b"")
        self.is_over = message["type"] == "http.response.body" and not message.get("more_body")
        self.came.set()

    async def hears(self, text):
        async with asyncio.timeout(60):
            while text not in self.heard:
                self.came.clear()
                await self.came.wait()

    async def leave(self):
        self.leaving.set()
        await self.task


class Page:
    """What changes, and how often it was asked for."""

    def __init__(self, **parts):
        self.parts, self.asked = parts, 0

    def __call__(self, name, looks):
        self.asked += 1
        if name == "broken":
            raise RuntimeError("no such page")
        return {part: f"{text} of {name}" for part, text in self.parts.items()}


def test_a_reader_hears_what_it_has_not_seen_and_then_each_change_once():
    async def play():
        page = Page(a="one", b="two")
        streams = Live(page, every_s=0.01)
        reader = Reader(streams.stream("x", {"a": live.mark("one of x")}))
        await reader.hears(b"event: b\ndata: two of x\n\n")
        assert b"event: a" not in reader.heard
        page.parts["a"] = "line\nline"
        await reader.hears(b"event: a\ndata: line\ndata: line of x\n\n")
        assert reader.heard.count(b"event: b") == 1
        await reader.leave()
        assert streams.readers == 0

    asyncio.run(play())


def test_one_look_serves_all_readers_and_no_reader_none():
    async def play():
        page = Page(a="one")
        streams = Live(page, every_s=3600)
        readers = [Reader(streams.stream("x", {})) for _ in range(20)]
        for reader in readers:
            await reader.hears(b"one of x")
        assert page.asked == 1
        for reader in readers:
            await reader.leave()
        assert streams.readers == 0

    asyncio.run(play())


def test_a_page_that_cannot_be_made_is_tried_again_and_the_others_go_on():
    async def play():
        page = Page(a="one")
        streams = Live(page, every_s=0.01)
        broken, whole = Reader(streams.stream("broken", {})), Reader(streams.stream("x", {}))
        await whole.hears(b"one of x")
        page.parts["a"] = "two"
        await whole.hears(b"two of x")
        assert b"event" not in broken.heard
        for reader in (broken, whole):
            await reader.leave()

    asyncio.run(play())


def test_closing_ends_all_streams_at_once_and_refuses_new_ones():
    async def play():
        streams = Live(Page(a="one"), every_s=3600)
        reader = Reader(streams.stream("x", {}))
        await reader.hears(b"one of x")
        streams.close()
        async with asyncio.timeout(60):
            await reader.task
        assert reader.is_over
        with pytest.raises(HTTPException) as refused:
            streams.stream("x", {})
        assert refused.value.status_code == 503

    asyncio.run(play())


def test_there_are_only_so_many_readers():
    async def play():
        streams = Live(Page(a="one"), every_s=3600, most=2)
        readers = [Reader(streams.stream("x", {})) for _ in range(2)]
        for reader in readers:
            await reader.hears(b"one of x")
        with pytest.raises(HTTPException) as refused:
            streams.stream("x", {})
        assert refused.value.status_code == 503
        await readers[0].leave()
        last = Reader(streams.stream("x", {}))
        await last.hears(b"one of x")
        for reader in (readers[1], last):
            await reader.leave()

    asyncio.run(play())


def test_time_that_passes_is_no_change():
    text = '<p><span class="ago" data-since="2026-05-13T12:00:00Z">{}</span> of work</p>'
    assert live.mark(text.format("4 min")) == live.mark(text.format("5 min"))
    assert live.mark(text.format("4 min")) != live.mark(text.format("4 min").replace("work", "play"))
