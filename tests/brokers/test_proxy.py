"""Connections through a proxy: which one is used, its password, and the messages when it fails."""

from __future__ import annotations

import base64
import contextlib
import logging
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from app.brokers.binance.feed import BinanceFeed
from app.brokers.binance.rest import BinanceRest
from app.brokers.proxy import check_proxy, proxy_for, without_password
from app.market.errors import FeedDisconnected, FeedRejected, SettingsError
from app.market.ports.exchange import FeedState
from app.observability.logs import start_logging
from app.observability.recent_log import RecentLog
from app.sandbox.market.simulated import LISTINGS, SimulatedMarket
from app.sandbox.server.server import SandboxServer
from tests.brokers.binance.feeds import make_feed, running
from tests.brokers.binance.helpers import FastClock, Recorder, until
from tests.brokers.binance.proxies import HOST, PASSWORD, PASSWORD_QUOTED, USER, HttpProxy, Socks5Proxy
from tests.sandbox.helpers import serving

BY = {"http": HttpProxy, "socks5h": Socks5Proxy}


@pytest.fixture
async def sandbox() -> AsyncIterator[SandboxServer]:
    async with serving(SimulatedMarket(seed=7, symbols=LISTINGS[:1], history=timedelta(hours=1), rate=200)) as server:
        yield server


@contextlib.asynccontextmanager
async def receiving(url: str, proxy: str, recorder: Recorder) -> AsyncIterator[BinanceFeed]:
    feed = make_feed(url, FastClock(), recorder, proxy=proxy)
    async with running(feed, recorder):
        yield feed


async def asked_over_rest(url: str, proxy: str) -> int:
    rest = BinanceRest(url, clock=FastClock(), proxy=proxy)
    try:
        return await rest.server_time_us()
    finally:
        await rest.close()


@pytest.mark.parametrize("scheme", BY)
@pytest.mark.parametrize("wants_password", [False, True])
async def test_stream_and_rest_use_the_proxy_which_also_resolves_the_host(
    sandbox: SandboxServer, scheme: str, wants_password: bool
) -> None:
    recorder = Recorder()
    async with BY[scheme](sandbox.port, wants_password=wants_password) as proxy:
        user = f"{USER}:{PASSWORD_QUOTED}@" if wants_password else ""
        address = f"{scheme}://{user}127.0.0.1:{proxy.port}"
        async with receiving(f"ws://{HOST}:9443", address, recorder):
            await until(lambda: len(recorder.ids) > 10, "trades by the proxy")
        assert await asked_over_rest(f"http://{HOST}:8080", address) > 0
        assert proxy.asked == [(HOST, 9443), (HOST, 8080)]


@pytest.mark.parametrize("scheme", BY)
async def test_a_wrong_password_is_reported_without_showing_it(
    sandbox: SandboxServer, scheme: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    recorder = Recorder()
    async with BY[scheme](sandbox.port, wants_password=True) as proxy:
        address = f"{scheme}://{USER}:s3cret@127.0.0.1:{proxy.port}"
        async with receiving(f"ws://{HOST}:9443", address, recorder) as feed:
            await until(lambda: feed.status.state is FeedState.BACKING_OFF)
            reason = feed.status.reason
        with pytest.raises(FeedDisconnected) as caught:
            await asked_over_rest(f"http://{HOST}:8080", address)
    where = f"{scheme}://…@127.0.0.1:{proxy.port}"
    expected = f"The proxy {where} wants another user and password; correct the setting proxy."
    assert [reason, str(caught.value)] == [expected, expected]
    assert "s3cret" not in caplog.text
    assert base64.b64encode(f"{USER}:s3cret".encode()).decode() not in caplog.text


@pytest.mark.parametrize("scheme", BY)
async def test_neither_log_file_nor_diagnostics_contain_the_password_of_a_proxy(
    sandbox: SandboxServer, scheme: str, tmp_path: Path
) -> None:
    root, recent, recorder = logging.getLogger(), RecentLog(), Recorder()
    before = root.handlers[:], root.level, {name: logging.getLogger(name).level for name in ("websockets", "qasync")}
    path = start_logging(tmp_path, "debug", "json")
    root.addHandler(recent)
    try:
        async with BY[scheme](sandbox.port, wants_password=True) as proxy:
            address = f"{scheme}://{USER}:{PASSWORD_QUOTED}@127.0.0.1:{proxy.port}"
            async with receiving(f"ws://{HOST}:9443", address, recorder) as feed:
                await until(lambda: recorder.ids, "trades by the proxy")
                sandbox.connections[0].cut()
                await until(lambda: feed.counters.reconnects)
            await asked_over_rest(f"http://{HOST}:8080", address)
        gone = BinanceFeed(f"ws://{HOST}:9443", clock=FastClock(), proxy=address, max_attempts=2)
        gone.set_symbols(["BTCUSDT"])
        with pytest.raises(FeedRejected) as caught:
            await gone.run(recorder)
        logging.getLogger("app").critical("as where a task fails", exc_info=caught.value)
        with pytest.raises(FeedDisconnected) as caught_too:
            await asked_over_rest(f"http://{HOST}:8080", address)
        logging.getLogger("app").critical("as where a task fails", exc_info=caught_too.value)
    finally:
        for handler in root.handlers:
            handler.close()
        root.handlers[:], level, levels = before
        root.setLevel(level)
        for name, one in levels.items():
            logging.getLogger(name).setLevel(one)
    lines = path.read_text(encoding="utf-8")
    assert "gave up after 2 attempts" in lines
    assert "Traceback" in lines
    assert f"{scheme}://…@127.0.0.1" in lines
    shown_in_window = " ".join(f"{line.text} {line.fields}" for line in recent.since(0)[0])
    encoded = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    for secret in (PASSWORD, PASSWORD_QUOTED, encoded):
        assert secret not in lines
        assert secret not in shown_in_window


@pytest.mark.parametrize(
    "address",
    ["ftp://u:s3cret@h:1", "u:s3cret@h:notaport", "http://", "http://u:s3#cret@h:1", "http://[::1", "x9://h:1"],
)
async def test_an_invalid_proxy_of_the_system_is_reported_and_is_not_a_bug(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("https_proxy", "http_proxy", "all_proxy", "no_proxy", "ws_proxy", "wss_proxy", "socks_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("https_proxy", address)
    feed = BinanceFeed(f"wss://{HOST}:9443", clock=FastClock())
    feed.set_symbols(["BTCUSDT"])
    with pytest.raises(
        FeedRejected, match=r"^The system's proxy “.*” is none: .*; correct it there, or set proxy"
    ) as one:
        await feed.run(Recorder())
    with pytest.raises(FeedRejected) as other:
        await asked_over_rest(f"https://{HOST}", "system")
    assert str(one.value) == str(other.value)
    assert "s3" not in str(one.value)


@pytest.mark.parametrize("scheme", [*BY, "socks4"])
async def test_an_unreachable_proxy_is_named(unused_tcp_port: int, scheme: str) -> None:
    recorder, address = Recorder(), f"{scheme}://127.0.0.1:{unused_tcp_port}"
    host = "192.0.2.1:9443"  # socks4 asks for an address
    async with receiving(f"ws://{host}", address, recorder) as feed:
        await until(lambda: feed.status.state is FeedState.BACKING_OFF)
        assert feed.status.reason == f"Cannot reach {host} by the proxy {address} (connection refused)."
    with pytest.raises(FeedDisconnected, match=rf"^Cannot reach {host} by the proxy {address} \(.*\)\.$"):
        await asked_over_rest(f"http://{host}", address)


async def test_no_proxy_is_used_for_this_machine(sandbox: SandboxServer, unused_tcp_port: int) -> None:
    recorder, address = Recorder(), f"http://127.0.0.1:{unused_tcp_port}"
    async with receiving(sandbox.ws_url, address, recorder):
        await until(lambda: recorder.ids)
    assert await asked_over_rest(sandbox.rest_url, address) > 0


async def test_the_environments_proxy_counts_as_the_systems(
    sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder()
    for name in ("https_proxy", "all_proxy", "no_proxy", "ws_proxy", "socks_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    async with HttpProxy(sandbox.port) as proxy:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        async with receiving(f"ws://{HOST}:9443", "system", recorder):
            await until(lambda: recorder.ids)
        assert await asked_over_rest(f"http://{HOST}", "system") > 0
        assert proxy.asked == [(HOST, 9443), (HOST, 80)]


async def test_trades_by_id_are_requested_from_the_main_host_if_the_other_lacks_them(
    sandbox: SandboxServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "app.brokers.binance.rest")
    async with HttpProxy(sandbox.port) as proxy:
        address = f"http://127.0.0.1:{proxy.port}"
        rest = BinanceRest("http://data-api.binance.vision", clock=FastClock(), proxy=address)
        await rest.server_time_us()
        for _ in range(2):
            with pytest.raises(FeedDisconnected):  # the sandbox behind it speaks no TLS
                await rest.trades_from("BTCUSDT", 1)
        await rest.close()
        assert proxy.asked[0] == ("data-api.binance.vision", 80)
        assert set(proxy.asked[1:]) == {("api.binance.com", 443)}
    expected = (
        "data-api.binance.vision does not serve single trades of the past; those are fetched from api.binance.com."
    )
    assert rest.fallback == expected
    assert [record.getMessage() for record in caplog.records].count(expected) == 1


@pytest.mark.parametrize(
    ("setting", "url", "proxy"),
    [
        ("none", "wss://a.example", None),
        ("http://p:3128", "wss://a.example", "http://p:3128"),
        ("http://p:3128/", "wss://127.0.0.2:9443", None),
        ("http://p:3128", "http://[::1]:9443", None),
        ("http://p:3128", "http://localhost", None),
        ("socks5h://p", "wss://a.example", "socks5h://p:1080"),
        ("socks5://kim@p", "wss://a.example", "socks5://kim:@p:1080"),
        ("socks4://[2001:db8::2]:9", "wss://a.example", "socks4://[2001:db8::2]:9"),
    ],
)
def test_the_setting_decides_the_proxy_of_an_address(setting: str, url: str, proxy: str | None) -> None:
    check_proxy(setting)
    assert proxy_for(setting, url) == proxy


@pytest.mark.parametrize(
    ("environment", "proxy"),
    [
        ({}, None),
        ({"https_proxy": "http://p:1"}, "http://p:1"),
        ({"https_proxy": "p:1"}, "http://p:1"),
        ({"http_proxy": "http://p:1"}, None),
        ({"all_proxy": "socks5://p"}, "socks5://p:1080"),
        ({"all_proxy": "socks://p:9"}, "socks5h://p:9"),
        ({"socks_proxy": "http://p:9", "https_proxy": "http://q:1"}, "socks5h://p:9"),
        ({"wss_proxy": "http://p:1", "https_proxy": "http://q:1"}, "http://p:1"),
        ({"https_proxy": "http://p:1", "no_proxy": "a.example"}, None),
    ],
)
def test_the_environment_decides_the_proxy_of_the_stream(
    environment: dict[str, str], proxy: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http", "https", "all", "no", "ws", "wss", "socks"):
        monkeypatch.delenv(f"{name}_proxy", raising=False)
        monkeypatch.delenv(f"{name}_proxy".upper(), raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert proxy_for("system", "wss://a.example:9443") == proxy


@pytest.mark.parametrize(
    "setting",
    ["", "p:3128", "ftp://u:s3cret@p:1", "http://", "http://u:s3cret@:1", "http://u:s3cret@p:x", "socks5://p:0",
     "http://u:s3cret@p/path", "http://u:s3/cret@p:1", "u:s3/cret@p:1", "http://u:s3#cret@p:1", "http://u:s3cret@a b"],
)  # fmt: skip
def test_an_invalid_proxy_is_refused_without_showing_its_password(setting: str) -> None:
    with pytest.raises(
        SettingsError, match=r"^“.*” is no proxy: .*; write system, none or an address such as"
    ) as caught:
        check_proxy(setting)
    assert "s3" not in str(caught.value)


def test_an_address_is_shown_without_its_user() -> None:
    assert without_password("http://u:p@h:1") == "http://…@h:1"
    assert without_password("http://h:1") == "http://h:1"
    assert without_password("http://u:p/w@x@h:1") == "http://…@h:1"
    assert without_password("u:p@h:1") == "…@h:1"
