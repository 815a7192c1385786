"""
Feeds lightweight-charts, as a page of another origin loads it, by `cryptopipe serve`'s UDF, and compares every candle.

The trades of the recording are served; the chart runs in a headless Chromium, asks `/config`, `/symbols` and `/history`
as TradingView's front ends do, and is asked for its series. A picture is written beside. Exits with 1 if anything
differs.

Usage: ``python -m tests.peers.web_chart FOLDER``: where npm has installed lightweight-charts, in ``node_modules``
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

from app.market.candle import Candle
from app.market.interval import SECOND_US, Interval
from app.market.units import E8
from app.serving.routes.charts import resolution_of
from storage.database import Database
from tests.peers.served_recording import BITCOIN, recorded_trades, serving, store
from tests.servers import EMBEDDED, empty_schema, shared_server, stop_shared_servers
from tests.serving.browser import Page, opened_page
from tests.storage.helpers import folded

INTERVALS = ("1s", "1m", "5m", "13m", "1h")
LIBRARY = "node_modules/lightweight-charts"
_PAGE = """<!doctype html><meta charset="utf-8"><title>A chart of another origin</title>
<style>body { margin: 0 } #chart { height: 100vh }</style><div id="chart"></div><script src="/library.js"></script>
<script>
async function show(server, symbol, resolution) {
    const ask = async (path, parameters = {}) => {
        const answer = await fetch(`${server}${path}?${new URLSearchParams(parameters)}`);
        return answer.json();
    };
    const config = await ask("/config");
    const described = await ask("/symbols", { symbol });
    const to = Number(await ask("/time"));
    const history = await ask("/history", { symbol, resolution, from: 0, to, countback: 5000 });
    document.getElementById("chart").replaceChildren();
    const chart = LightweightCharts.createChart("chart", { timeScale: { timeVisible: true } });
    const minMove = described.minmov / described.pricescale;
    const candles = chart.addSeries(LightweightCharts.CandlestickSeries, {
        priceFormat: { type: "price", precision: Math.log10(described.pricescale), minMove },
    });
    const volume = chart.addSeries(LightweightCharts.HistogramSeries, { priceScaleId: "" });
    volume.priceScale().applyOptions({ scaleMargins: { top: 0.8, bottom: 0 } });
    const { t, o, h, l, c, v } = history;
    candles.setData(t.map((time, at) => ({ time, open: o[at], high: h[at], low: l[at], close: c[at] })));
    volume.setData(t.map((time, at) => ({ time, value: v[at] })));
    chart.timeScale().fitContent();
    const volumes = volume.data();
    return {
        status: history.s,
        takesUnits: config.supported_resolutions.length > 5,
        name: described.description,
        rows: candles.data().map((one, at) => [one.time, one.open, one.high, one.low, one.close, volumes[at].value]),
    };
}
</script>"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    os.environ["CRYPTOPIPE_SERVE_ORIGINS"] = "*"
    trades = recorded_trades()
    wanted = {name: rows_of(folded(trades, Interval.parse(name))) for name in INTERVALS}
    try:
        with tempfile.TemporaryDirectory() as folder, empty_schema(shared_server(EMBEDDED)) as url:
            database = Database.open(url, Path(folder) / "writer")
            try:
                store(database, trades)
                database.store.save_symbols([BITCOIN])
                with serving(url, Path(folder) / "server") as address:
                    ended = asyncio.run(compare(address, options.folder, wanted))
            finally:
                database.close()
    finally:
        stop_shared_servers()
    sys.exit(ended)


def rows_of(candles: list[Candle]) -> list[list[float]]:
    """Return candles as the page returns them."""
    return [
        [
            one.open_time_us // SECOND_US,
            *(price / E8 for price in (one.open_e8, one.high_e8, one.low_e8, one.close_e8)),
            one.volume_e8 / E8,
        ]
        for one in candles
    ]


async def compare(server: str, folder: Path, wanted: dict[str, list[list[float]]]) -> int:
    """Show each interval in a chart; return 1 if any candle differs."""
    package = json.loads((folder / LIBRARY / "package.json").read_text(encoding="utf-8"))
    wrong = 0
    async with chart_page(folder) as origin, opened_page() as page:
        await page.resize(1440, 900)
        await page.open(origin)
        await page.until("typeof show", "function")
        for name, rows in wanted.items():
            found = await shown(page, server, name)
            is_equal = found == {"status": "ok", "takesUnits": True, "name": "BTC/USDT", "rows": rows}
            wrong += not is_equal
            said = f"{len(rows):,} equal" if is_equal else f"different: {len(found['rows']):,} of {len(rows):,}"
            print(f"lightweight-charts {package['version']}: {name} candles: {said}", flush=True)
        await shown(page, server, "5s")
        picture = folder / "lightweight-charts.png"
        picture.write_bytes(await page.picture())
        print(f"a picture of it: {picture}")
    for error in page.errors:
        print(f"the browser reports: {error}")
    return 1 if wrong or page.errors else 0


async def shown(page: Page, server: str, name: str) -> dict[str, Any]:
    """Show that interval, and return what the chart has."""
    arguments = json.dumps([server, BITCOIN.name, resolution_of(Interval.parse(name))])
    found: dict[str, Any] = await page.value(f"show(...{arguments})")
    return found


@asynccontextmanager
async def chart_page(folder: Path) -> AsyncIterator[str]:
    """Serve the page with the chart from an origin of its own."""
    library = folder / LIBRARY / "dist" / "lightweight-charts.standalone.production.js"

    async def start(_: web.Request) -> web.Response:
        return web.Response(text=_PAGE, content_type="text/html")

    async def script(_: web.Request) -> web.FileResponse:
        return web.FileResponse(library)

    async def icon(_: web.Request) -> web.Response:
        return web.Response(status=204)

    application = web.Application()
    application.router.add_get("/", start)
    application.router.add_get("/library.js", script)
    application.router.add_get("/favicon.ico", icon)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


if __name__ == "__main__":
    main()
