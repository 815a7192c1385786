"""The page at `/`: its files, and what it does in a real browser, which is skipped where there is none."""

from __future__ import annotations

import asyncio
import base64
import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path

import aiohttp
import pytest

from app.market.candle import Candle, CandleSource
from app.market.interval import SECOND_US, Interval
from app.market.symbol import Symbol
from app.market.trade import Trade
from app.market.units import E8
from app.serving.access import Access, token_in
from storage.database import Database
from tests.end_to_end.helpers import RECORDING, until
from tests.peers.served_recording import BITCOIN, recorded_trades
from tests.program import free_port
from tests.serving.browser import Page, opened_page
from tests.serving.helpers import record, served
from tests.serving.test_live import listening
from tests.serving.test_quotes import SIMULATED, quoting
from tests.serving.test_recorder import recording
from tests.storage.helpers import START_US, folded, some_trades
from widgets.theme.palettes import PALETTES

FILES = sorted(one.name for one in resources.files("resources").joinpath("page").iterdir())
CANDLES = (
    "cryptopipe.candles().map((one) => [one.time, one.open, one.high, one.low, one.close, one.trades, one.volume])"
)
INCOMPLETE = "cryptopipe.candles().filter((one) => !one.isComplete).length"
IS_LIVE = "window.cryptopipe?.state().connection === 'live' && cryptopipe.candles().length > 0"
COLUMNS = ("time", "open", "high", "low", "close", "volume", "base_volume")
TIMES = {"startTime": 0, "endTime": -1}
HEADLINE, SENTENCE = (
    "document.getElementById('headline').textContent",
    "document.getElementById('sentence').textContent",
)


def text_of(name: str) -> str:
    return resources.files("resources").joinpath("page", name).read_text(encoding="utf-8")


def rows_of(candles: Sequence[Candle]) -> list[list[float]]:
    """Return candles as `CANDLES` gives them."""
    return [
        [
            one.open_time_us // SECOND_US,
            *(price / E8 for price in (one.open_e8, one.high_e8, one.low_e8, one.close_e8)),
            one.trades,
            one.volume_e8 / E8,
        ]
        for one in candles
    ]


def minutes(count: int) -> list[Candle]:
    """Return candles of minutes as the exchange publishes them, with another price in each."""
    begin_us = Interval.parse("1m").open_time_us(START_US)
    return [
        Candle(
            *(begin_us + number * 60 * SECOND_US, price, price + 5 * E8, price - 3 * E8, price + 2 * E8),
            *(number * E8 + 1, price * E8, number + 1, E8, E8),
            source=CandleSource.KLINE,
        )
        for number, price in enumerate(range(2_000 * E8, (2_000 + count) * E8, E8))
    ]


# Without a browser


async def test_every_file_of_the_page_is_served_and_runs_nothing_else(database: Database) -> None:
    async with served(database) as client:
        start = await client.get("/")
        assert (start.status, start.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
        linked = re.findall(r'(?:src|href)="([^"]+)"', start.body.decode())
        imported = [f"/page/{name}" for file in FILES for name in re.findall(r'from "\./([^"]+)"', text_of(file))]
        assert {f"/page/{name}" for name in FILES if name != "index.html"} <= {*linked, *imported}
        for path in {*linked, *imported, "/favicon.ico", "/page/index.html"} - {"/docs"}:
            answer = await client.get(path)
            assert answer.status == 200, path
            policy = answer.headers["Content-Security-Policy"]
            assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; ")
            assert "unsafe" not in policy
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["Cache-Control"] == "no-cache"
            again = await client.get(path, {"If-None-Match": answer.headers["ETag"]})
            assert (again.status, again.body) == (304, b"")
        for path in ("/page/", "/page/nosuch.js", "/page/__init__.py", "/page/..%2F__init__.py", "/page/%2e%2e/style"):
            assert (await client.get(path)).status == 404, path
        assert (await client.request("HEAD", "/")).status == 200
    for name in FILES:
        assert not re.search(r"https?:|//[a-z]+\.[a-z]|\beval\(|innerHTML|@import|url\(", text_of(name)), name
    assert not re.search(r"<script>|<style|\son[a-z]+=|style=", text_of("index.html"))


def test_the_colours_of_the_page_are_those_of_the_window() -> None:
    found = {}
    for theme, block in re.findall(r':root\[data-theme="(\w+)"\] \{(.*?)\}', text_of("palettes.css"), re.DOTALL):
        found[theme] = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", block))
    wanted = {
        name: {one.name.replace("_", "-"): getattr(palette, one.name) for one in fields(palette) if one.name != "name"}
        for name, palette in PALETTES.items()
    }
    assert found == wanted
    for name in FILES:
        if name not in ("palettes.css", "chart.js"):  # which has the two colours of text on the labels
            assert not re.search(r"#[0-9a-f]{6}", text_of(name)), name


async def test_the_page_needs_no_token_and_its_socket_has_one_that_is_in_no_address(database: Database) -> None:
    record(database, some_trades(10))
    token = "t0ken/+ü"
    written = base64.urlsafe_b64encode(token.encode()).decode().rstrip("=")
    async with served(database, access=Access(token=token)) as client:
        assert (await client.get("/")).status == 200
        assert (await client.get("/page/main.js")).status == 200
        assert (await client.get("/candles", asset="BTC", duration="1m")).status == 401
        for path in ("/", "/ws/market"):
            for protocols in ((), ("cryptopipe",), ("cryptopipe", "cryptopipe.token.bm8"), ("cryptopipe.token.§",)):
                with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                    async with listening(client, path, protocols=protocols):
                        pass
                assert refused.value.status in (400, 401)
            async with listening(client, path, protocols=("cryptopipe", f"cryptopipe.token.{written}")) as listener:
                assert listener.socket.protocol == "cryptopipe"
        assert (await client.get(f"/candles?asset=BTC&duration=1m&token={written}")).status == 401
    async with served(database) as client, listening(client, "/", protocols=("other",)) as listener:
        assert listener.socket.protocol is None


@pytest.mark.parametrize(
    ("protocols", "token"),
    [
        ("", ""),
        ("cryptopipe", ""),
        ("cryptopipe.token.", ""),
        ("cryptopipe, cryptopipe.token.dDBrZW4", "t0ken"),
        ("cryptopipe.token._-8", ""),  # no UTF-8
        ("cryptopipe.token.!", ""),
        ("x.cryptopipe.token.dDBrZW4", ""),
    ],
)
def test_a_token_is_read_from_the_protocols_of_a_socket(protocols: str, token: str) -> None:
    assert token_in(protocols) == token


# In a browser


async def test_the_page_shows_the_recording_to_the_digit_and_follows_it_over_a_restart(
    database: Database, shared_data: Callable[[str], Path]
) -> None:
    for name in RECORDING:
        shared_data(name)
    trades = recorded_trades()
    database.store.save_symbols([BITCOIN])
    record(database, trades[:18_000])
    port = free_port()

    async def shows(page: Page, name: str, known: Sequence[Trade]) -> None:
        await page.until(CANDLES, rows_of(folded(known, Interval.parse(name))))

    async with opened_page() as page:
        async with served(database, port=port) as client:
            await page.open(f"{client.service.url}/#btcusdt/1m")
            await page.until(IS_LIVE)
            await shows(page, "1m", trades[:18_000])
            # The first began before the recording, and nobody saw the last one's end.
            await page.until(INCOMPLETE, 2)
            await page.until("document.getElementById('notice').textContent", "2 candles in view may lack trades")
            await page.value("document.querySelector('#presets [value=\"5m\"]').click()")
            await shows(page, "5m", trades[:18_000])
            for text in ("13m", "90S", " 1s"):
                await typed(page, text)
                await shows(page, text, trades[:18_000])
            await typed(page, "1 hour")
            await page.until("document.getElementById('refused').textContent.includes('did you mean 1h?')")
            assert await page.value("cryptopipe.state().interval") == "1s"
            await typed(page, "60m")
            await page.until("cryptopipe.state().interval", "1h")
            assert await page.value("[document.getElementById('refused').hidden, location.hash]") == [
                True,
                "#BTCUSDT/1h",
            ]
            await page.value("document.querySelector('#presets [value=\"1m\"]').click()")
            await page.until(IS_LIVE)
            for at in range(18_000, 19_000, 100):
                await asyncio.to_thread(record, database, trades[at : at + 100])
            await shows(page, "1m", trades[:19_000])
            price = f"{trades[18_999].price_e8 / E8:,.2f}"
            await page.until("document.getElementById('price').textContent", price)
            await page.until("document.title", f"{price} BTC/USDT")
            last = trades[18_999].trade_id
            await page.until("cryptopipe.state().newestId", last)
        await page.until("cryptopipe.state().connection !== 'live'")
        await page.until("document.getElementById('connection').textContent.startsWith('Connection lost')")
        await asyncio.to_thread(record, database, trades[19_000:19_500])
        async with served(database, port=port):
            await page.value("document.getElementById('reconnect').click()")
            await page.until("cryptopipe.state().connection", "live")
            await page.until("cryptopipe.state().newestId", trades[19_499].trade_id)
            await asyncio.to_thread(record, database, trades[19_500:])
            await shows(page, "1m", trades)
            # That nothing was left out shows in each candle's count, and in no candle that is marked for a jump of ids.
            await page.until(INCOMPLETE, 2)
    # Besides the refused interval and the server that was away the browser has nothing to report.
    expected = ("WebSocket", "ERR_CONNECTION", "status of 400")
    assert not [one for one in page.errors if not any(part in one for part in expected)]


async def typed(page: Page, text: str) -> None:
    """Type an interval, and press Enter."""
    await page.value("document.getElementById('typed').focus(), document.getElementById('typed').select()")
    await page.send("Input.insertText", text=text)
    await page.key("Enter")


async def test_older_candles_come_as_the_view_goes_back_and_gestures_keep_within_the_chart(database: Database) -> None:
    klines = minutes(2_400)
    stored = klines[:900] + klines[1_000:]
    database.store.save_symbols([Symbol("ETHUSDT", "ETH", "USDT", 10**6, 10**4)])
    database.store.save_klines("ETHUSDT", Interval.parse("1m"), stored)
    async with served(database) as client, opened_page() as page:
        await page.resize(390, 844, 2, is_phone=True)
        await page.prefer(prefers_color_scheme="light", prefers_reduced_motion="reduce")
        await page.open(f"{client.service.url}/#ETHUSDT/1m")
        await page.until("window.cryptopipe?.candles().length", 1_000)
        view = "(({ left, right }) => [left, right])(cryptopipe.state())"
        # Once it is painted, the axis is as wide as its labels.
        await page.value("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        left, right = await page.value(view)
        # A finger drags, two zoom, and a tap takes the crosshair.
        await page.touch("touchStart", (100, 400))
        for x in range(110, 210, 10):
            await page.touch("touchMove", (x, 400))
        await page.touch("touchEnd")
        dragged_left, dragged_right = await page.value(view)
        assert dragged_left < left - 5
        assert dragged_right - dragged_left == pytest.approx(right - left, rel=0.1)
        assert await page.value("document.getElementById('latest').hidden") is False
        await page.touch("touchStart", (150, 400), (200, 400))
        for step in range(1, 11):
            await page.touch("touchMove", (150 - 8 * step, 400), (200 + 8 * step, 400))
        await page.touch("touchEnd")
        pinched_left, pinched_right = await page.value(view)
        assert pinched_right - pinched_left < (right - left) / 2
        await page.touch("touchStart", (150, 400))
        await page.touch("touchEnd")
        slot = Interval.parse("1m").slot(klines[0].open_time_us)
        await page.until("document.getElementById('readout').textContent.length > 20")
        # The keys of a chart that has the focus.
        await page.value("document.getElementById('chart').focus()")
        for key, is_moved in [
            ("-", lambda old, new: new[1] - new[0] > old[1] - old[0]),
            ("+", lambda old, new: new[1] - new[0] < old[1] - old[0]),
            ("ArrowLeft", lambda old, new: new[0] < old[0]),
            ("ArrowRight", lambda old, new: new[0] > old[0]),
        ]:
            before = await page.value(view)
            await page.key(key)
            assert is_moved(before, await page.value(view)), key
        await page.key("ArrowLeft", shift=True)
        await page.until("document.getElementById('spoken').textContent.includes('Aug 2024')")
        while not await page.value("cryptopipe.state().hasAll"):
            await page.key("Home")
            await asyncio.sleep(0.05)
        await page.until(CANDLES, rows_of(stored))
        assert await page.value("cryptopipe.state().holes") == [[slot + 900, slot + 1_000]]
        await page.key("End")
        await page.until("document.getElementById('latest').hidden")
        await page.mouse("mouseWheel", 100, 400, deltaX=0, deltaY=300)
        wheeled = await page.value(view)
        assert wheeled[1] - wheeled[0] > pinched_right - pinched_left
        # From a phone to a large screen nothing is cut off.
        for width, height in ((390, 844), (844, 390), (320, 568), (768, 1_024), (2_560, 1_440)):
            await page.resize(width, height)
            await page.until("document.documentElement.clientWidth", width)
            parts = "[...document.querySelectorAll('body, header, footer, main')]"
            assert await page.value(f"{parts}.filter((one) => one.scrollWidth > one.clientWidth).length") == 0
            controls = "[...document.querySelectorAll('header :is(button, input, select)')]"
            assert max(await page.value(f"{controls}.map((one) => one.getBoundingClientRect().right)")) <= width
        await check_themes(page)
        for name in ("1s", "13m", "1h", "1d", "3d", "1w", "1M", "5M"):
            times = [0, 946_684_799, 1_723_161_255, 1_709_251_199, 1_709_251_200, 4_000_000_000]
            wanted = [Interval.parse(name).slot(one * SECOND_US) for one in times]
            assert await page.value(f"cryptopipe.slots('{name}', {times})") == wanted, name
    assert page.errors == []


async def check_themes(page: Page) -> None:
    """The page follows the system until the switch is used, which is remembered until it is what the system has."""
    theme = "document.documentElement.dataset.theme"
    switch = "document.getElementById('theme').click()"
    await page.until(theme, "light")
    await page.prefer(prefers_color_scheme="dark")
    await page.until(theme, "dark")
    await page.value(switch)
    assert await page.value(f"[{theme}, getComputedStyle(document.body).backgroundColor]") == [
        "light",
        "rgb(246, 248, 250)",
    ]
    await page.send("Page.reload")
    await page.until(f"window.cryptopipe?.candles().length > 0 && {theme}", "light")
    await page.value(switch)
    assert await page.value(f"[{theme}, localStorage.length]") == ["dark", 0]
    await page.prefer(prefers_color_scheme="light")
    await page.until(theme, "light")


async def test_candles_of_a_recorder_move_with_its_trades_and_end_as_they_are_stored(data_dir: Path) -> None:
    async with recording(data_dir) as (_, server, session, _), opened_page() as page:
        await page.open(f"{server.url}/#BTCUSDT/1s")
        await page.until(HEADLINE, "This server asks for a token")
        await page.send("Input.insertText", text="t0ken")
        await page.key("Enter")
        await page.until(IS_LIVE)
        is_ahead = "cryptopipe.candles().at(-1).isFinal === false"  # of what is stored
        await page.until(is_ahead)
        whole = f"{CANDLES.replace('candles()', 'candles().filter((one) => one.isFinal && one.isComplete)')}"
        await page.until(f"{whole}.length > 5")
        rows = await page.value(whole)
        times = {name: f"{datetime.fromtimestamp(rows[at][0], UTC):%FT%TZ}" for name, at in TIMES.items()}
        async with session.get(f"{server.url}/candles", params={"asset": "BTC", "duration": "1s", **times}) as response:
            served_candles = (await response.json())["candles"]
        known = {one["time"]: [one[name] for name in COLUMNS] for one in served_candles}
        assert rows == [known[row[0]] for row in rows]
    assert all("401" in one for one in page.errors)


async def test_the_page_shows_quotes_as_candles_of_their_mid_and_follows_them(data_dir: Path) -> None:
    async with (
        quoting(SIMULATED) as oanda,
        recording(data_dir, symbols="BTCUSDT,oanda:EURUSD", oanda=oanda) as (engine, server, session, _),
        opened_page() as page,
    ):
        await until(lambda: engine.quotes.writer_status.stored)
        await page.open(f"{server.url}/#OANDA:EURUSD/5s")
        await page.until(HEADLINE, "This server asks for a token")
        await page.send("Input.insertText", text="t0ken")
        await page.key("Enter")
        await page.until(IS_LIVE)
        assert await page.value("[cryptopipe.state().symbol, location.hash]") == ["oanda:EURUSD", "#oanda:EURUSD/5s"]
        assert "EUR/USD · OANDA" in await page.value("document.getElementById('readout').textContent")
        await page.until("cryptopipe.state().newestPosition !== ''")
        await page.until("document.getElementById('connection').textContent.includes('ticks/s')")
        whole = f"{CANDLES.replace('candles()', 'candles().filter((one) => one.isFinal && one.isComplete)')}"
        await page.until(f"{whole}.length > 3")
        rows = await page.value(whole)
        asked = {"asset": "oanda:EURUSD", "duration": "5s"}
        async with session.get(f"{server.url}/candles", params=asked) as response:
            served_candles = (await response.json())["candles"]
        known = {one["time"]: [one[name] for name in COLUMNS] for one in served_candles}
        assert rows == [known[row[0]] for row in rows]
        assert all(row[5] == row[6] for row in rows)  # the volume counts ticks
    assert all("401" in one for one in page.errors)


async def test_the_page_says_what_it_lacks_and_goes_on_by_itself(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with served(None, access=Access(token="t0ken-of-the-page")) as client, opened_page() as page:
        await page.open(client.service.url)
        await page.until(HEADLINE, "This server asks for a token")
        for token, sentence in (("wr ong", "no spaces"), ("wrong", "did not accept")):
            await page.value("document.getElementById('token').focus()")
            await page.send("Input.insertText", text=token)
            await page.key("Enter")
            await page.until(f"{SENTENCE}.includes('{sentence}')")
        await page.send("Input.insertText", text="t0ken-of-the-page")
        await page.key("Enter")
        await page.until(HEADLINE, "The candles could not be loaded")
        assert await page.value(SENTENCE) == "The database is not open: wait a moment."
        client.service.use(database)
        await page.until(HEADLINE, "Nothing is stored yet")
        assert await page.value("document.getElementById('intervals').hidden") is True
        assert await page.value("innerWidth - document.getElementById('theme').getBoundingClientRect().right") < 20
        record(database, some_trades(100))
        await page.until(IS_LIVE)
        await page.until("document.getElementById('connection').textContent.startsWith('Live')")
        addresses = (
            "[location.href, document.referrer, ...performance.getEntriesByType('resource').map((one) => one.name)]"
        )
        assert "t0ken" not in "".join(await page.value(addresses))
        assert await page.value("localStorage.length") == 0
        await page.send("Page.reload")  # the tab remembers it
        await page.until(IS_LIVE)
    assert "t0ken" not in caplog.text
