"""A client that does not read costs little, is cut, and finds why if it reads after all."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.serving.live.live_client import MOST_UNREAD_BYTES, TRY_AGAIN_LATER, LiveClient
from app.serving.live.live_messages import close_frame, error

FRAME = error("A" * 50_000)


@asynccontextmanager
async def connected() -> AsyncIterator[tuple[LiveClient, asyncio.StreamReader]]:
    """The server's side of a connection, and the client's."""
    accepted: asyncio.Future[LiveClient] = asyncio.get_running_loop().create_future()

    class Server(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            assert isinstance(transport, asyncio.Transport)
            accepted.set_result(LiveClient(transport))

    server = await asyncio.get_running_loop().create_server(Server, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname(), limit=1024)
    try:
        yield await accepted, reader
    finally:
        writer.close()
        server.close()


async def test_what_waited_is_dropped_and_the_last_words_follow_what_was_sent() -> None:
    async with connected() as (client, reader):
        written = 0
        while not client.is_given_up:
            client.write(FRAME)
            written += 1
            await asyncio.sleep(0)
        assert client.unread_bytes < len(FRAME) + 1_000  # the rest of one write, and why
        async with asyncio.timeout(30):
            heard = await reader.read(-1)
        sent, closing = heard[:-4], heard[-4:]
        assert closing == close_frame(TRY_AGAIN_LATER)
        frames, words = divmod(len(sent), len(FRAME))
        assert sent[: -words or None] == FRAME * frames
        assert "read too slowly" in json.loads(sent[sent.rindex(b'{"type"') :])["message"]
        assert frames < written - MOST_UNREAD_BYTES // len(FRAME)


async def test_what_waits_comes_in_order_once_the_client_reads_again() -> None:
    async with connected() as (client, reader):
        frames = []
        while client.unread_bytes < MOST_UNREAD_BYTES // 2:
            frames.append(error(f"{len(frames)} " + "A" * 20_000))
            client.write(frames[-1])
            await asyncio.sleep(0)
        async with asyncio.timeout(30):
            assert await reader.readexactly(sum(map(len, frames))) == b"".join(frames)
        while client.unread_bytes:
            await asyncio.sleep(0.01)
        client.write(FRAME)
        async with asyncio.timeout(30):
            assert await reader.readexactly(len(FRAME)) == FRAME
        assert not client.is_given_up


async def test_a_client_that_never_reads_is_cut() -> None:
    async with connected() as (client, _):
        while not client.is_given_up:
            client.write(FRAME)
            await asyncio.sleep(0)
        async with asyncio.timeout(30):
            while client.unread_bytes:
                await asyncio.sleep(0.05)
