"""Nagle's algorithm, by which the end of an answer waits for the acknowledgement of its head: 40 ms."""

import asyncio
import socket


def is_off(listener):
    """Whether asyncio switches it off for what it accepts from a listener, which this closes."""
    return asyncio.run(_accepted(listener))


async def _accepted(listener):
    option = asyncio.get_running_loop().create_future()

    def met(_reader, writer):
        option.set_result(writer.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()

    async with await asyncio.start_server(met, sock=listener):
        _, writer = await asyncio.open_connection(*listener.getsockname()[:2])
        found = await option
        writer.close()
        return bool(found)
