"""Who may read, how much, and what happens to those who may not: over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import ssl
import time
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from app.market.errors import SettingsError
from app.serving.access import Access, RateLimit, parse_origins
from app.serving.server import Limits
from storage.database import Database
from storage.postgres.connection import connect
from tests.serving.helpers import record, served
from tests.storage.helpers import some_trades
from tests.storage.listening import make_certificate

HEALTH = b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
PAGE = "https://charts.example"


async def raw(port: int, sent: bytes, *, seconds: float = 10.0) -> bytes:
    """Send these bytes and return all that comes back until the server hangs up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(sent)
        async with asyncio.timeout(seconds):
            return await reader.read()
    finally:
        writer.close()


async def test_health_is_the_database_of_a_follower() -> None:
    async with served(None) as client:
        for path in ("/health", "/health/db", "/health/binance", "/api/candles?symbol=BTC&interval=1m"):
            answer = await client.request("GET", path)
            assert answer.status == 503
            assert answer.body["error"].endswith(".")
        assert (await client.get("/metrics")).status == 200


async def test_health_and_metrics_are_text_or_json(database: Database) -> None:
    async with served(database) as client:
        assert (await client.get("/health")).body == {"status": "ok", "brokers": []}
        assert (await client.get("/health/db")).status == 200
        assert "no feed of its own" in (await client.get("/health/binance")).body["error"]
        text = await client.get("/metrics", {"Accept": "text/plain;version=0.0.4;q=0.5,application/json;q=0.1"})
        assert b"\ncryptopipe_serve_requests_total 4.0\n" in text.body
        assert text.headers["Content-Type"].startswith("text/plain")
        document = (await client.get("/metrics", {"Accept": "application/json"})).body
        assert list(document) == ["timestamp", "performance", "status", "brokers"]
        assert list(document["performance"]) == (
            "tradesPerSecond averageLatency errorCount reconnectionCount memoryUsage batchProcessingTime".split()
        )
        assert list(document["status"]) == (
            "isRunning binanceConnected databaseConnected bufferSize totalTrades totalBatches uptime totalTicks".split()
        )
        assert document["status"]["databaseConnected"] is True
        assert document["performance"]["memoryUsage"] > 10e6


async def test_a_hung_database_is_answered_in_time_and_comes_back(database: Database) -> None:
    record(database, some_trades(10))
    async with served(database, deadline_s=1.0) as client:
        while (await client.get("/api/candles", symbol="BTC", interval="1m")).status != 200:
            await asyncio.sleep(0.05)
        with connect(database.url) as locking, locking.transaction():
            locking.execute("LOCK TABLE symbols, coverage IN ACCESS EXCLUSIVE MODE")
            answers = await asyncio.gather(
                *(client.get("/api/candles", symbol="BTC", interval="1m") for _ in range(12)), client.get("/health")
            )
            assert {answer.status for answer in answers} == {503}
            assert all(answer.headers["Retry-After"] == "1" for answer in answers[:-1])
            assert any("took longer than 1 s: ask for a shorter range" in one.body["error"] for one in answers[:-1])
            assert (await client.get("/metrics")).status == 200  # needs no database
        while (await client.get("/health")).status != 200:
            await asyncio.sleep(0.05)


async def test_a_token_that_is_set_is_asked_for_on_loopback_too(database: Database) -> None:
    async with served(database, access=Access(token="t0ken")) as client:
        for headers in (
            {},
            {"Authorization": "Bearer no"},
            {"Authorization": "Basic t0ken"},
            {"Authorization": "Bearer"},
        ):
            answer = await client.get("/health", headers)
            assert answer.status == 401
            assert answer.headers["WWW-Authenticate"] == "Bearer"
        port = int(client.service.url.rpartition(":")[2])
        no_text = b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer \xff\r\n\r\n"
        assert b" 401 " in await raw(port, no_text)
        assert (await client.get("/health", token="t0ken")).status == 401  # in a log of addresses it is no secret
        assert (await client.get("/health", {"Authorization": "Bearer t0ken"})).status == 200
        assert (await client.get("/health", {"Authorization": "Bearer t0ken", "Host": "any.example"})).status == 200


async def test_off_loopback_a_token_and_tls_are_needed(database: Database, tmp_path: Path) -> None:
    folder = tmp_path / "tls"
    folder.mkdir()
    certificate = make_certificate(folder, "server", "localhost")
    key = certificate.with_suffix(".key")
    for access in (
        Access("0.0.0.0"),
        Access("0.0.0.0", token="t0ken"),
        Access("0.0.0.0", certificate=certificate, key=key),
        Access("::", token="t0ken", certificate=certificate),
        Access("192.0.2.1", token="t0ken"),
    ):
        with pytest.raises(SettingsError, match="could be read from other machines: set CRYPTOPIPE_SERVE_TOKEN"):
            async with served(None, access=access):
                pass
    (folder / "broken").write_text("no certificate")
    for access in (
        Access(certificate=certificate),
        Access(certificate=folder / "none.crt", key=key),
        Access(certificate=folder / "broken", key=key),
    ):
        with pytest.raises(SettingsError, match="serve_certificate and serve_key"):
            async with served(None, access=access):
                pass
    async with served(database, access=Access("0.0.0.0", "t0ken", certificate=certificate, key=key)) as client:
        trusting = ssl.create_default_context(cafile=str(certificate))
        url = f"https://localhost:{client.service.url.rpartition(':')[2]}/health"
        headers = {"Authorization": "Bearer t0ken"}
        async with client.session.get(url, ssl=trusting, headers=headers) as response:
            assert response.status == 200
        async with client.session.get(url, ssl=trusting) as response:
            assert response.status == 401
        with pytest.raises(aiohttp.ClientError):
            async with client.session.get(url.replace("https", "http"), headers=headers):
                pass


async def test_handshakes_that_never_end_make_room_for_others(database: Database, tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path, "server", "localhost")
    access = Access(token="t0ken", certificate=certificate, key=certificate.with_suffix(".key"))
    trusting = ssl.create_default_context(cafile=str(certificate))
    async with served(database, access=access, limits=Limits(handshakes=4)) as client:
        port = int(client.service.url.rpartition(":")[2])
        silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(10)]
        async with asyncio.timeout(10):  # each would have 15 s
            for reader, _ in silent[:6]:
                assert await ended(reader)
        url, headers = f"https://localhost:{port}", {"Authorization": "Bearer t0ken"}
        async with client.session.get(f"{url}/health", ssl=trusting, headers=headers) as response:
            assert response.status == 200
        async with client.session.ws_connect(f"{url}/ws/market", ssl=trusting, headers=headers) as socket:
            assert (await socket.receive_json())["type"] == "connection"
        assert b" 401 " in await asked_with_the_handshake(port, trusting)
    for reader, writer in silent:
        assert await ended(reader)
        writer.close()


async def ended(reader: asyncio.StreamReader) -> bool:
    """Whether a connection ends with nothing heard."""
    try:
        return await reader.read() == b""
    except ConnectionError:
        return True


async def asked_with_the_handshake(port: int, trusting: ssl.SSLContext) -> bytes:
    """Send a request in one piece with the end of the handshake, and return the answer."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = trusting.wrap_bio(incoming, outgoing, server_hostname="localhost")
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while True:
        try:
            tls.do_handshake()
            break
        except ssl.SSLWantReadError:
            writer.write(outgoing.read())
            incoming.write(await reader.read(1 << 16))
    tls.write(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    writer.write(outgoing.read())
    incoming.write(await reader.read(-1))
    writer.close()
    answer = b""
    with contextlib.suppress(ssl.SSLError):
        while part := tls.read(1 << 16):
            answer += part
    return answer


async def test_pages_of_other_origins_read_only_where_they_may(database: Database) -> None:
    async with served(database, access=Access(origins=frozenset({PAGE}))) as client:
        allowed = await client.get("/health", {"Origin": PAGE})
        assert allowed.headers["Access-Control-Allow-Origin"] == PAGE
        refused = await client.get("/health", {"Origin": "https://evil.example"})
        assert "Access-Control-Allow-Origin" not in refused.headers
        assert allowed.headers["Vary"] == refused.headers["Vary"] == "Origin"
        asked = {"Access-Control-Request-Method": "GET"}
        preflight = await client.request("OPTIONS", "/candles", {"Origin": PAGE, **asked})
        assert preflight.status == 204
        assert "Authorization" in preflight.headers["Access-Control-Allow-Headers"]
        assert (await client.request("OPTIONS", "/candles", {"Origin": "null", **asked})).status == 403
    async with served(database, access=Access(origins=parse_origins(" * "))) as client:
        assert (await client.get("/x", {"Origin": "null"})).headers["Access-Control-Allow-Origin"] == "null"
    # A name that somebody else points to this machine is no name of ours.
    async with served(database) as client:
        assert (await client.get("/health", {"Host": "evil.example:8080"})).status == 403
        assert (await client.get("/health", {"Host": "localhost:9"})).status == 200
        assert (await client.get("/health", {"Host": "[::1]:8080"})).status == 200


def test_origins_are_read_as_people_write_them() -> None:
    assert parse_origins("https://a.example/, HTTP://B.example:3000") == {"https://a.example", "http://b.example:3000"}
    for wrong in ("a.example", "ftp://a.example", "https://", "https://a.example/path", "*.example"):
        with pytest.raises(SettingsError, match="is not the origin of a web page"):
            parse_origins(wrong)


async def test_a_client_that_asks_too_often_is_told_to_wait(database: Database) -> None:
    async with served(database, access=Access(requests_per_minute=60)) as client:
        answers = [await client.get("/metrics") for _ in range(25)]
        refused = [answer for answer in answers if answer.status == 429]
        assert [answer.status for answer in answers[:10]] == [200] * 10
        assert refused
        assert {answer.headers["Retry-After"] for answer in refused} == {"1"}


def test_the_rate_is_one_of_each_client_and_the_memory_of_clients_is_bounded() -> None:
    rate = RateLimit(60)
    assert [rate.wait_s("a", 0.0) for _ in range(11)] == [0.0] * 10 + [1.0]
    assert rate.wait_s("b", 0.0) == 0.0
    assert rate.wait_s("a", 0.5) == 0.5
    assert rate.wait_s("a", 1.0) == 0.0
    for number in range(10_000):
        assert rate.wait_s(f"client {number}", 1.0) == 0.0
    assert len(rate._left) <= 4_096
    assert not any(RateLimit(0).wait_s("a", 0.0) for _ in range(1_000))


async def test_what_is_no_reasonable_request_is_refused_and_serving_goes_on(database: Database) -> None:
    async with served(database, limits=Limits(request_within_s=1.0)) as client:
        port = int(client.service.url.rpartition(":")[2])
        for method in ("POST", "PUT", "DELETE", "PATCH", "TRACE"):
            answer = await client.request(method, "/candles")
            assert (answer.status, answer.body) == (405, {"error": "Only GET is answered here."})
        for sent in (
            b"GET /candles?asset=" + b"A" * 9_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"A" * 9_000 + b"\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: 1\r\n" * 2_000 + b"\r\n",
            b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            b"\x16\x03\x01\x02\x00 this is TLS\r\n\r\n",
            b"GET /\x00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        ):
            assert b" 400 Bad Request\r\n" in await raw(port, sent), sent[:60]
        # A huge body is not waited for.
        body = b"POST /candles HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000000\r\n\r\n"
        assert (await raw(port, body)).startswith(b"HTTP/1.1 405 ")
        # One byte now and then does not keep a connection.
        assert await raw(port, b"GET / HTT") == b""
        assert (await client.get("/health")).status == 200


async def test_a_connection_beyond_the_limit_takes_the_place_of_the_one_idle_longest(database: Database) -> None:
    async with served(database, limits=Limits(clients=20)) as client:
        port = int(client.service.url.rpartition(":")[2])
        held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(20)]
        while client.service.clients < 20:
            await asyncio.sleep(0.01)
        assert b" 200 OK\r\n" in await raw(port, HEALTH)
        assert await held[0][0].read() == b""
        for _, writer in held:
            writer.close()
        while client.service.clients:
            await asyncio.sleep(0.01)
        assert (await client.get("/health")).status == 200


async def test_a_connection_is_refused_where_all_are_busy(database: Database) -> None:
    async with served(database, limits=Limits(clients=1)) as client:
        port = int(client.service.url.rpartition(":")[2])
        async with client.session.ws_connect(f"{client.service.url}/ws/market"):
            refused = await raw(port, b"")
            assert refused.startswith(b"HTTP/1.1 503 ")
            assert json.loads(refused.partition(b"\r\n\r\n")[2]) == {
                "error": "The server has too many clients: retry later."
            }
        while client.service.clients:
            await asyncio.sleep(0.01)
        assert (await client.get("/health")).status == 200


async def test_a_client_that_does_not_read_its_answers_is_cut(database: Database) -> None:
    trades = some_trades(5_000)
    record(database, trades)
    limits = Limits(request_within_s=1.0, slowest_bytes_per_s=1 << 30, unread_bytes=1_000_000)
    async with served(database, limits=limits) as client:
        path = f"/trades.arrow?symbol=BTC&from={trades[0].time_us // 1000}"
        size = len((await client.get(path)).body)
        assert size > 100_000
        with socket.socket() as slow:
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            slow.connect(("127.0.0.1", int(client.service.url.rpartition(":")[2])))
            slow.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode() * 200)
            before = client.service.requests
            while client.service.requests == before:
                await asyncio.sleep(0.01)
            async with asyncio.timeout(60):
                while client.service.clients:
                    await asyncio.sleep(0.05)
            assert client.service.requests < before + 200
        assert (await client.get(path)).status == 200
    async with served(database, limits=Limits(unread_bytes=size - 1)) as client:
        assert (await client.get(path)).status == 503


async def test_an_address_that_cannot_be_used_is_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for access, number, why in [
            (Access(), port, "it is in use"),
            (Access(), 70_000, "ports end at 65535"),
            (Access("127.0.0.1.invalid"), 0, "could be read from other machines"),
        ]:
            with pytest.raises(SettingsError, match=why):
                async with served(None, access=replace(access), port=number):
                    pass


async def test_the_end_does_not_wait_for_a_client_or_for_the_database(database: Database) -> None:
    with connect(database.url) as locking, locking.transaction():
        locking.execute("LOCK TABLE coverage IN ACCESS EXCLUSIVE MODE")
        async with served(database) as client:
            port = int(client.service.url.rpartition(":")[2])
            idle, busy = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
            busy[1].write(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            while not client.service.requests:
                await asyncio.sleep(0.01)
            began_s = time.monotonic()
        assert time.monotonic() - began_s < 9
        for _, writer in (idle, busy):
            writer.close()
