"""Small proxies on loopback, which resolve the invented host ``exchange.test`` to a server of the test."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from abc import ABC, abstractmethod
from collections.abc import Awaitable
from urllib.parse import urlsplit

HOST = "exchange.test"
USER, PASSWORD = "kim", "p@ss:w/rd"
PASSWORD_QUOTED = "p%40ss%3Aw%2Frd"

Reader, Writer = asyncio.StreamReader, asyncio.StreamWriter


class LoopbackProxy(ABC):
    """
    A proxy that connects to 127.0.0.1 at ``port_of_exchange`` for any host. ``asked``: the hosts and ports requested.

    ``wants_password``: whether `USER` and `PASSWORD` are required.
    """

    def __init__(self, port_of_exchange: int, *, wants_password: bool = False) -> None:
        self.asked: list[tuple[str, int]] = []
        self.port = 0
        self._target = port_of_exchange
        self.wants_password = wants_password
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> LoopbackProxy:
        self._server = await asyncio.start_server(self._on_client, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def open_target(self, host: str, port: int) -> tuple[Reader, Writer]:
        self.asked.append((host, port))
        return await asyncio.open_connection("127.0.0.1", self._target)

    @abstractmethod
    async def serve(self, reader: Reader, writer: Writer) -> None:
        """
        Connect one client to its target with `open_target`, and relay until either side ends.

        Raises:
            ConnectionError, asyncio.IncompleteReadError: The client has gone, which is not an error of the proxy.
        """

    def _on_client(self, reader: Reader, writer: Writer) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda _: writer.transport.abort())

    async def _serve(self, reader: Reader, writer: Writer) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await self.serve(reader, writer)


class HttpProxy(LoopbackProxy):
    """CONNECT for tunnels, absolute addresses for plain HTTP (RFC 9110, 9.3.6 and 7.2)."""

    async def serve(self, reader: Reader, writer: Writer) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        line, *lines = head.decode().split("\r\n")
        method, address, _ = line.split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (one.partition(":") for one in lines)}
        expected = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if self.wants_password and headers.get("proxy-authorization") != expected:
            writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
            return
        if method == "CONNECT":
            host, _, port = address.rpartition(":")
            target = await self.open_target(host, int(port))
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            parts = urlsplit(address)
            target = await self.open_target(parts.hostname or "", parts.port or 80)
            path = address.split(parts.netloc, 1)[1]
            target[1].write(head.replace(address.encode(), path.encode(), 1))
        await _join(reader, writer, *target)


class Socks5Proxy(LoopbackProxy):
    """CONNECT by name, with or without a password (RFC 1928 and 1929)."""

    async def serve(self, reader: Reader, writer: Writer) -> None:
        _, count = await reader.readexactly(2)
        methods = await reader.readexactly(count)
        method = 2 if self.wants_password else 0
        if method not in methods:
            writer.write(b"\x05\xff")
            await writer.drain()
            return
        writer.write(bytes((5, method)))
        if self.wants_password and not await self._is_known(reader, writer):
            return
        _, _, _, kind = await reader.readexactly(4)
        assert kind == 3, "the name is to be resolved by the proxy"
        host = (await reader.readexactly((await reader.readexactly(1))[0])).decode()
        port = int.from_bytes(await reader.readexactly(2), "big")
        target = await self.open_target(host, port)
        writer.write(b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x00")
        await _join(reader, writer, *target)

    async def _is_known(self, reader: Reader, writer: Writer) -> bool:
        await reader.readexactly(1)
        user = await reader.readexactly((await reader.readexactly(1))[0])
        password = await reader.readexactly((await reader.readexactly(1))[0])
        known = (user.decode(), password.decode()) == (USER, PASSWORD)
        writer.write(bytes((1, int(not known))))
        await writer.drain()
        return known


async def _join(reader: Reader, writer: Writer, other_reader: Reader, other_writer: Writer) -> None:
    async def pump(source: Reader, sink: Writer) -> None:
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()

    pumps: list[Awaitable[None]] = [pump(reader, other_writer), pump(other_reader, writer)]
    tasks = [asyncio.ensure_future(pumping) for pumping in pumps]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        other_writer.transport.abort()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
