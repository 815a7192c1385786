"""Both clients refuse a server with a self-signed certificate, and say why."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest

pytest.importorskip("cryptography", reason="no certificate can be made here: cryptography comes with keyring on Linux")
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from app.brokers.binance.feed import BinanceFeed
from app.brokers.binance.rest import BinanceRest
from app.market.errors import FeedDisconnected
from app.market.ports.exchange import FeedState
from tests.brokers.binance.helpers import FastClock, until


def self_signed(folder: Path) -> ssl.SSLContext:
    """Return the TLS context of a server with a self-signed certificate for 127.0.0.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "exchange")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = folder / "server.pem"
    unlocked = serialization.NoEncryption()
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, unlocked)
    file.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[tuple[str, list[bytes]]]:
    """``host:port`` of a server with such a certificate, and all that it received from clients."""
    received: list[bytes] = []

    def on_client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def listen() -> None:
            received.append(await reader.read())
            writer.transport.abort()

        tasks.append(asyncio.create_task(listen()))

    tasks: list[asyncio.Task[None]] = []
    server = await asyncio.start_server(on_client, "127.0.0.1", 0, ssl=self_signed(tmp_path))
    yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}", received
    server.close()
    await asyncio.gather(*tasks)


EXPECTED = "Cannot reach {} (its certificate cannot be verified: self-signed certificate)."


async def test_the_stream_refuses_a_self_signed_certificate(server: tuple[str, list[bytes]]) -> None:
    host, received = server
    feed = BinanceFeed(f"wss://{host}", clock=FastClock())
    task = asyncio.create_task(feed.run(lambda *_: None))
    await until(lambda: feed.status.state is FeedState.BACKING_OFF)
    assert feed.status.reason == EXPECTED.format(host)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert not any(received)


async def test_rest_refuses_a_self_signed_certificate(server: tuple[str, list[bytes]]) -> None:
    host, received = server
    rest = BinanceRest(f"https://{host}", clock=FastClock())
    with pytest.raises(FeedDisconnected) as caught:
        await rest.server_time_us()
    await rest.close()
    assert str(caught.value) == EXPECTED.format(host)
    assert not any(received)
