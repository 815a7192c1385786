"""The feed and the REST client on the event loop of the window."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import textwrap

PROGRAM = """
    import asyncio, sys
    from PySide6.QtCore import QCoreApplication
    from qasync import QEventLoop
    from app.brokers.binance.rest import BinanceRest
    from app.brokers.binance.feed import BinanceFeed
    from app.market.ports.exchange import FeedState
    from tests.brokers.binance.helpers import FastClock, Recorder, StreamServer, trade_frame, until

    async def main():
        async with StreamServer() as server:
            recorder = Recorder()
            feed = BinanceFeed(server.url, clock=FastClock())
            feed.on_status(recorder.statuses.append)
            feed.set_symbols(["BTCUSDT"])
            task = asyncio.create_task(feed.run(recorder))
            await until(lambda: server.sockets and server.subscribed[server.sockets[0]])
            await server.publish(*(trade_frame(number) for number in range(2000)))
            await server.sockets[0].close(1011)
            await until(lambda: len(server.sockets) == 2 and server.subscribed[server.sockets[1]])
            await server.publish(trade_frame(2000))
            await until(lambda: recorder.ids == list(range(2001)))
            rest = BinanceRest(server.url.replace("ws:", "http:"), clock=FastClock())
            try:
                await rest.server_time_us()
            except Exception as error:
                assert type(error).__name__ == "FeedRejected", error
            await rest.close()
            task.cancel()
            try:
                async with asyncio.timeout(2):
                    await task
            except asyncio.CancelledError:
                pass
            assert feed.status.state is FeedState.CLOSED
        print("received", len(recorder.ids))

    application = QCoreApplication(sys.argv)
    with QEventLoop(application) as loop:
        loop.run_until_complete(main())
"""


async def test_the_feed_works_on_qts_event_loop() -> None:
    # In a process of its own: a QEventLoop takes over the loop of the whole program.
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-W", "error", "-c", textwrap.dedent(PROGRAM)],
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "received 2001\n"
    assert "Traceback" not in done.stderr
