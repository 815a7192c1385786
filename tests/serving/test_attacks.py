"""Attacks, each tried over a real socket: refused or cut, nothing changed, and others are answered meanwhile."""

from __future__ import annotations

import gzip
import json
import resource
import select
import socket
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import quote

import psutil
import pytest

from app.concurrency.system_clock import SystemClock
from app.serving.access import Access
from app.serving.program import Follower
from app.serving.server import Limits
from app.serving.service import Ports, ServingService
from storage.database import Database
from tests.servers import EMBEDDED, shared_server
from tests.serving.helpers import record
from tests.storage.helpers import some_trades
from tests.tables import our_tables

TRADES = 50
PATIENCE_S = 30.0
REQUEST_WITHIN_S = 1.0
HEAD = b"Host: localhost\r\n\r\n"
UPGRADE = (
    b"Host: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
BOMB = gzip.compress(bytes(100_000_000), 6)
TEXT, BINARY, CLOSE, PING = 1, 2, 8, 9
COMPRESSED = 0x40


class Target(NamedTuple):
    """The server that is attacked, and the database it reads."""

    service: ServingService
    database: Database | None = None

    @property
    def port(self) -> int:
        return int(self.service.url.rpartition(":")[2])

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), PATIENCE_S)

    def send(self, sent: bytes) -> bytes:
        """Send these bytes, and return all that comes back until the server hangs up or an answer is whole."""
        with self.connect() as connection:
            connection.sendall(sent)
            return read_answer(connection)

    def assert_unharmed(self) -> None:
        """Fail unless another client is answered, and every trade is there."""
        assert self.send(b"GET /health HTTP/1.1\r\nConnection: close\r\n" + HEAD).startswith(b"HTTP/1.1 200 ")
        assert self.database is not None
        assert self.database.store.coverage("BTCUSDT").count() == TRADES


def read_answer(connection: socket.socket) -> bytes:
    answer = b""
    try:
        while part := connection.recv(1 << 16):
            answer += part
            head, end, body = answer.partition(b"\r\n\r\n")
            size = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
            if end and size and len(body) >= int(size):
                break
    except ConnectionResetError:
        pass
    return answer


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """A server that waits a second for requests."""
    with our_tables(shared_server(EMBEDDED)) as url:
        database = Database.open(url, tmp_path_factory.mktemp("attacked"))
        clock = SystemClock()
        limits = Limits(request_within_s=REQUEST_WITHIN_S)
        access = Access(requests_per_minute=0)
        service = ServingService(access, Ports(0), Follower(clock), clock, limits=limits)
        record(database, some_trades(TRADES))
        service.use(database)
        service.start()
        try:
            yield Target(service, database)
        finally:
            service.stop()
            assert database.close()


def get(path: str, headers: bytes = b"") -> bytes:
    return b"GET " + path.encode() + b" HTTP/1.1\r\n" + headers + HEAD


SQL = (
    "BTC'; DROP TABLE trades;--",
    "BTC' OR '1'='1",
    "BTCUSDT) UNION SELECT NULL--",
    '"; SELECT pg_sleep(9)--',
    "%s%n",
)
PARAMETERS = (
    "/candles?asset={}&duration=1m",
    "/candles?asset=BTC&duration={}",
    "/candles?asset=BTC&duration=1m&startTime={}",
    "/api/candles?symbol={}&interval=1m",
    "/api/candles?symbol=BTC&timeframe=1m&from={}",
    "/api/candles?symbol=BTC&interval=1m&limit={}",
    "/api/metadata?symbol={}",
    "/trades.arrow?symbol=BTC&from={}",
    "/api/v3/klines?symbol={}&interval=1m",
    "/api/v3/klines?symbol=BTCUSDT&interval={}",
    "/api/v3/historicalTrades?symbol=BTCUSDT&fromId={}",
    "/history?symbol={}&resolution=1&from=1&to=2",
)
TRAVERSALS = (
    "/../../../../etc/passwd",
    "/%2e%2e/%2e%2e/etc/passwd",
    "/docs/..%2f..%2f..%2fetc%2fpasswd",
    "/api/v3/../../../../etc/passwd",
    "//etc/passwd",
    "/..\\..\\windows\\win.ini",
    "/%252e%252e%252fetc%252fpasswd",
    "/docs%00.html",
    "file:///etc/passwd",
)
REFUSED: dict[str, list[bytes]] = {
    "a path out of the server": [get(path) for path in TRAVERSALS],
    "SQL in a parameter": [get(path.format(quote(sql))) for path in PARAMETERS for sql in SQL],
    "a header in a parameter": [get(path.format("BTC%0d%0aSet-Cookie:%20a=b")) for path in PARAMETERS],
    "a header within a header": [
        get("/health", b"Origin: https://a.example\rSet-Cookie: a=b\r\n"),
        get("/health", b"If-None-Match: a\n b: c\r\n"),
        get("/health", b"X\x00Y: 1\r\n"),
        get("/health", b"X Y: 1\r\n"),
        get("/health", b"Host: localhost\r\n"),
    ],
    "a flood of headers": [get("/health", b"X: 1\r\n" * 2_000), get("/health", b"X: " + b"A" * 9_000 + b"\r\n")],
    "a huge query": [
        get("/candles?asset=" + "A" * 9_000),
        get("/candles?" + "&".join(f"a{number}=1" for number in range(1_000))),
        get("/candles?" + "asset=BTC&" * 800 + "duration=1m"),
        get("/stream?streams=" + "a/" * 1_025),
    ],
    "numbers without end": [
        get(f"/api/candles?symbol=BTC&timeframe=1m&from={'9' * 4_000}"),
        get("/api/candles?symbol=BTC&interval=1m&limit=-1"),
        get("/api/candles?symbol=BTC&interval=1m&limit=1e9"),
        get("/api/candles?symbol=BTC&interval=99999999999999999999s"),
        get("/trades.arrow?symbol=BTC&from=" + "9" * 4_000),
        get("/api/v3/klines?symbol=BTCUSDT&interval=1m&limit=" + "9" * 4_000),
        get("/candles?asset=BTC&duration=1m&startTime=+9999999-01-01"),
    ],
    "two requests in one": [
        get("/health", b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n"),
        get("/health", b"Content-Length: 3\r\nContent-Length: 4\r\n"),
        get("/health", b"Content-Length: -1\r\n"),
        get("/health", b"Content-Length: +3\r\n"),
        get("/health", b"Transfer-Encoding: chunked, identity\r\n"),
        b"GET /health HTTP/9.9\r\n" + HEAD,
    ],
    "another method": [method + b" /candles HTTP/1.1\r\n" + HEAD for method in (b"POST", b"PUT", b"DELETE", b"TRACE")]
    + [b"CONNECT evil.example:443 HTTP/1.1\r\n" + HEAD, b"OPTIONS * HTTP/1.1\r\n" + HEAD],
    "a huge body": [
        b"POST /candles HTTP/1.1\r\nContent-Length: 1000000000000\r\n" + HEAD,
        b"POST /candles HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" + HEAD + b"FFFFFFFFFFFFFFFFFF\r\n",
        b"POST /candles HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" + HEAD + b"10000\r\n" + bytes(65_536) + b"\r\n",
    ],
    "a body that unpacks to 100 MB": [
        b"POST /candles HTTP/1.1\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n" % len(BOMB) + HEAD + BOMB,
        get("/nothing", b"Content-Encoding: gzip\r\nContent-Length: %d\r\n" % len(BOMB)) + BOMB,
    ],
    "deep JSON as a body": [b"POST /candles HTTP/1.1\r\nContent-Length: 100000\r\n" + HEAD + b"[" * 100_000],
    "another host (DNS rebinding)": [
        b"GET /health HTTP/1.1\r\nHost: " + host + b"\r\n\r\n"
        for host in (b"evil.example", b"evil.example:8080", b"127.0.0.1.evil.example", b"localhost.evil.example", b"")
    ]
    + [b"GET /health HTTP/1.0\r\n\r\n", b"GET http://evil.example/health HTTP/1.1\r\nHost: evil.example\r\n\r\n"],
    "a page of another origin": [
        get("/health", b"Origin: https://evil.example\r\n"),
        get("/health", b"Origin: null\r\n"),
        get("/health", b"Origin: http://localhost.evil.example\r\n"),
        get("/health", b"Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\n"),
        b"OPTIONS /candles HTTP/1.1\r\nOrigin: null\r\nAccess-Control-Request-Method: GET\r\n" + HEAD,
    ],
    "a WebSocket that may not be": [
        b"GET /ws/market HTTP/1.1\r\nOrigin: https://evil.example\r\n" + UPGRADE + b"\r\n",
        b"GET /stream?streams=btcusdt@trade HTTP/1.1\r\nOrigin: null\r\n" + UPGRADE + b"\r\n",
        b"GET /ws/market HTTP/1.1\r\n" + UPGRADE.replace(b"localhost", b"evil.example") + b"\r\n",
        b"GET /ws/market HTTP/1.1\r\n" + UPGRADE.replace(b"Version: 13", b"Version: 99") + b"\r\n",
        b"GET /ws/market HTTP/1.1\r\n" + UPGRADE.replace(b"dGhlIHNhbXBsZSBub25jZQ==", b"short") + b"\r\n",
        b"GET /candles HTTP/1.1\r\n" + UPGRADE + b"\r\n",
        b"GET /ws/" + b"a/" * 1_025 + b" HTTP/1.1\r\n" + UPGRADE + b"\r\n",
    ],
    "what is no HTTP": [
        b"\x16\x03\x01\x02\x00 this is TLS\r\n\r\n",
        b"\x00" * 10_000 + b"\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\n",
    ],
}


@pytest.mark.parametrize("title", REFUSED)
def test_an_attack_by_a_request_is_refused(target: Target, title: str) -> None:
    for sent in REFUSED[title]:
        answer = target.send(sent)
        status, head = answer[9:12], answer.partition(b"\r\n\r\n")[0]
        # Cut, or refused; a client of UDF reads errors in the body.
        assert not answer or status.startswith(b"4") or b'{"s":"error"' in answer, (sent[:200], answer[:300])
        assert b"set-cookie" not in head.lower(), sent[:200]
        assert b"root:" not in answer
        assert b"Traceback" not in answer
    target.assert_unharmed()


def frame(opcode: int, payload: bytes, *, flags: int = 0x80, mask: bool = True, length: int | None = None) -> bytes:
    """A frame of a client, whose mask of zeros leaves the payload as it is."""
    size = len(payload) if length is None else length
    bit = 0x80 if mask else 0
    if size < 126:
        head = bytes((flags | opcode, bit | size))
    elif size < 65_536:
        head = bytes((flags | opcode, bit | 126)) + size.to_bytes(2, "big")
    else:
        head = bytes((flags | opcode, bit | 127)) + size.to_bytes(8, "big")
    return head + (bytes(4) if mask else b"") + payload


def deflated(size: int) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(bytes(size)) + packer.flush(zlib.Z_SYNC_FLUSH)


CUT: dict[str, bytes] = {
    "a frame said to have 4 EB": frame(TEXT, b"", length=1 << 62),
    "a frame said to have 4 GB": frame(BINARY, bytes(1_000), length=1 << 32),
    "a message of 20 KB": frame(TEXT, b"A" * 20_000),
    "a message of 100 MB in fragments": frame(TEXT, b"A" * 1_000, flags=0) + frame(0, b"A" * 1_000, flags=0) * 20,
    "a compressed frame, which nobody agreed upon": frame(TEXT, deflated(10_000_000), flags=0x80 | COMPRESSED),
    "an unknown kind of frame": frame(0xB, b""),
    "a fragment of nothing": frame(0, b"A"),
    "a long ping": frame(PING, b"A" * 126),
    "a ping in fragments": frame(PING, b"A", flags=0),
    "a close with a code that is none": frame(CLOSE, (999).to_bytes(2, "big")),
    "text that is no text": frame(TEXT, b"\xff\xfe\xfd"),
    "a flood of messages": frame(TEXT, b"{}") * 2_000,
    "a flood of pings": frame(PING, b"A" * 100) * 2_000,
    "a flood of pongs": frame(10, b"") * 2_000,
}


def opened(target: Target, path: str) -> socket.socket:
    """A WebSocket that has been accepted; the handshake offers compression."""
    connection = target.connect()
    offer = b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
    connection.sendall(b"GET " + path.encode() + b" HTTP/1.1\r\n" + UPGRADE + offer + b"\r\n")
    head = b""
    while b"\r\n\r\n" not in head:
        head += connection.recv(1)
    assert head.startswith(b"HTTP/1.1 101 ")
    assert b"permessage-deflate" not in head
    return connection


@pytest.mark.parametrize("path", ["/ws/market", "/ws/btcusdt@trade"])
@pytest.mark.parametrize("title", CUT)
def test_an_attack_by_a_frame_ends_the_connection(target: Target, title: str, path: str) -> None:
    with opened(target, path) as connection:
        try:
            connection.sendall(CUT[title])
            while connection.recv(1 << 16):
                pass
        except (ConnectionResetError, BrokenPipeError):
            pass  # cut; a TimeoutError fails
    target.assert_unharmed()


@pytest.mark.parametrize("path", ["/ws/market", "/ws/btcusdt@trade"])
@pytest.mark.parametrize(
    "text",
    [
        "[" * 8_000,
        '{"a":' * 3_000,
        '{"action":"subscribe","symbols":["BTC\'; DROP TABLE trades;--"],"method":"SUBSCRIBE","params":[1]}',
        '{"action":"subscribe","symbols":["BTC"],"types":["trade"],"since":1e400}',
        '"' + "\\u0000" * 2_000 + '"',
        "9" * 5_000,
    ],
    ids=lambda text: text[:12],
)
def test_an_attack_by_a_message_gets_a_sentence(target: Target, path: str, text: str) -> None:
    with opened(target, path) as connection:
        connection.sendall(frame(TEXT, text.encode()))
        heard = b""
        while b'"error"' not in heard and b'"msg"' not in heard:
            part = connection.recv(1 << 16)
            assert part, heard
            heard += part
        assert b"Traceback" not in heard
    target.assert_unharmed()


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /health HTTP/1.1\r\nX: ",
        b"POST /candles HTTP/1.1\r\nContent-Length: 100000\r\n" + HEAD,
        b"GET /nothing HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" + HEAD + b"1\r\n",
        b"",
    ],
    ids=["headers", "a body", "a chunk", "nothing"],
)
def test_what_trickles_is_cut(target: Target, sent: bytes) -> None:
    began_s = time.monotonic()
    with target.connect() as connection:
        connection.sendall(sent)
        connection.settimeout(0.05)
        try:
            while True:
                try:
                    if not connection.recv(1 << 16):
                        break
                except TimeoutError:
                    if sent:
                        connection.sendall(b"A")
                assert time.monotonic() - began_s < PATIENCE_S
        except (ConnectionResetError, BrokenPipeError):
            pass
    target.assert_unharmed()


HOLD = """
import resource, socket, sys
most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
held = [socket.create_connection(("127.0.0.1", int(sys.argv[1]))) for _ in range(int(sys.argv[2]))]
print(len(held), flush=True)
sys.stdin.read()
"""


def test_ten_thousand_connections_do_not_keep_others_out() -> None:
    _, most_files = resource.getrlimit(resource.RLIMIT_NOFILE)
    count = 10_000 if most_files == resource.RLIM_INFINITY else min(10_000, most_files - 100)
    clock, process, limits = SystemClock(), psutil.Process(), Limits(clients=500, request_within_s=600.0)
    service = ServingService(Access(requests_per_minute=0), Ports(0), Follower(clock), clock, limits=limits)
    service.start()
    try:
        target = Target(service)
        with opened(target, "/ws/btcusdt@trade") as watching:
            memory, files, answered = process.memory_info().rss, process.num_fds(), 0
            command = [sys.executable, "-c", HOLD, str(target.port), str(count)]
            with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holding:
                assert holding.stdin is not None
                assert holding.stdout is not None
                # One place may have been this test's own while the last of the others asked for it.
                while not select.select([holding.stdout], [], [], 0)[0] or service.clients < limits.clients - 1:
                    assert target.send(get("/time")).startswith(b"HTTP/1.1 200 ")
                    answered += 1
                    assert service.clients <= limits.clients + 200
                    assert process.num_fds() - files <= limits.clients + 200
                    time.sleep(0.05)
                assert holding.stdout.readline() == b"%d\n" % count
                assert target.send(get("/metrics")).startswith(b"HTTP/1.1 200 ")
                assert process.memory_info().rss - memory < 100e6
                assert service.live_clients == 1  # whoever is served stays
                watching.sendall(frame(TEXT, json.dumps({"method": "LIST_SUBSCRIPTIONS", "id": 1}).encode()))
                heard = b""
                while b"btcusdt@trade" not in heard:
                    heard += watching.recv(1 << 16)
                holding.stdin.close()
            assert answered > 10
    finally:
        service.stop()


def test_live_clients_leave_room_for_requests() -> None:
    clock = SystemClock()
    limits = Limits(clients=20, request_within_s=600.0)
    service = ServingService(Access(), Ports(0), Follower(clock), clock, limits=limits)
    service.start()
    try:
        target = Target(service)
        held = [opened(target, "/ws/btcusdt@trade") for _ in range(limits.live_clients)]
        answer = target.send(b"GET /ws/market HTTP/1.1\r\n" + UPGRADE + b"\r\n")
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert target.send(get("/metrics")).startswith(b"HTTP/1.1 200 ")
        for one in held:
            one.close()
        while service.live_clients:
            time.sleep(0.01)
        opened(target, "/ws/market").close()
    finally:
        service.stop()
