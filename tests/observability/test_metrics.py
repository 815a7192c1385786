"""Every metric is read from the running parts, served to this machine alone, and named by Prometheus's conventions."""

from __future__ import annotations

import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from app.config.settings import Settings, load
from app.live.engine import Engine
from app.live.recording.measures import Distribution
from app.observability.metrics import METRICS, MetricKind, Metrics
from app.observability.monitoring import watch_loop
from app.observability.prometheus import registry_of
from app.runtime.wiring import engine_for
from app.sandbox.market.simulated import SimulatedMarket
from app.serving.serving_engine import serving_engine
from tests.end_to_end.helpers import settings_in, until
from tests.keyrings import MemoryKeyring, using
from tests.live.helpers import HandClock
from tests.program import free_port
from tests.sandbox.helpers import serving


@asynccontextmanager
async def recording(data_dir: Path, url: str) -> AsyncIterator[tuple[Engine, Settings]]:
    """An engine that records a simulated market and has stored some of it."""
    async with serving(SimulatedMarket(seed=3)) as server:
        settings = settings_in(
            data_dir,
            server.ws_url,
            server.rest_url,
            symbols="BTCUSDT,ETHUSDT",
            batch_seconds=0.05,
            database_url=url,
        )
        async with engine_for(settings) as engine:
            engine.start(settings.symbols)
            try:
                await until(lambda: engine.recorder.measures.stored.count)
                yield engine, settings
            finally:
                await engine.close()


async def test_the_served_metrics_are_the_figures_of_the_parts(data_dir: Path, tables_url: str) -> None:
    async with recording(data_dir, tables_url) as (engine, settings):
        settings = replace(settings, metrics_port=free_port())
        async with serving_engine(settings, engine, Metrics(engine)) as served:
            assert (served.url, served.problem) == ("", "")
            assert served.metrics_url == f"http://127.0.0.1:{settings.metrics_port}/metrics"
            async with aiohttp.ClientSession() as session, session.get(served.metrics_url) as response:
                assert response.status == 200
                text = await response.text()
        text = "".join(line for line in text.splitlines(keepends=True) if "cryptopipe_serve_" not in line)
        families = {family.name: family for family in text_string_to_metric_families(text)}
        assert set(families) == {declared.name.removesuffix("_total") for declared in METRICS}
        value = {name: family.samples[0].value for name, family in families.items() if family.samples}
        assert value["cryptopipe_feed_live"] == 1
        assert value["cryptopipe_symbols_recorded"] == 2
        assert 0 < value["cryptopipe_trades_received"] <= engine.recorder.trades_received
        assert 0 < value["cryptopipe_trades_stored"] <= engine.database.writer.status.stored
        assert value["cryptopipe_rest_weight_limit"] == 6000
        assert value["cryptopipe_resident_memory_bytes"] > 10e6
        assert abs(value["cryptopipe_clock_skew_seconds"]) < 5
        counts = {
            sample.labels["stage"]: sample.value
            for sample in families["cryptopipe_trade_delay_seconds"].samples
            if sample.name.endswith("_count")
        }
        assert counts["received"] > 0
        assert counts["stored"] > 0
        assert counts["painted"] == 0
        with pytest.raises(aiohttp.ClientError):
            async with aiohttp.ClientSession() as session, session.get(served.metrics_url):
                pass


def test_names_follow_the_conventions_of_prometheus() -> None:
    names = [declared.name for declared in METRICS]
    assert len(set(names)) == len(names)
    for declared in METRICS:
        assert re.fullmatch(r"cryptopipe_[a-z]+(_[a-z]+)*", declared.name), declared.name
        assert declared.name.endswith("_total") == (declared.kind is MetricKind.COUNTER)
        assert declared.sentence[0].isupper() or declared.sentence[0].isdigit()
        assert declared.sentence.endswith(".")
        assert not re.search(r"_(ms|us|milliseconds|minutes|mb)(_|$)", declared.name), "base units only"


async def test_two_engines_of_one_process_never_mix(data_dir: Path, tables_url: str) -> None:
    async with recording(data_dir, tables_url) as (engine, settings), engine_for(settings) as other:
        busy, idle = registry_of(Metrics(engine)), registry_of(Metrics(other))
        assert busy.get_sample_value("cryptopipe_trades_received_total")
        assert idle.get_sample_value("cryptopipe_trades_received_total") == 0
        assert Metrics(other).value("trades_received") == 0
        assert idle.get_sample_value("cryptopipe_clock_skew_seconds") is None  # not known, so not there


async def test_buckets_are_cumulative(data_dir: Path) -> None:
    async with engine_for(load({"data_dir": str(data_dir)}, environment={}, file=data_dir / "none")) as engine:
        metrics = Metrics(engine)
        for trades in (1, 100, 101, 20_000):
            metrics.measures.batch_trades.add(trades)
        value = registry_of(metrics).get_sample_value
        assert value("cryptopipe_batch_trades_bucket", {"le": "100"}) == 2
        assert value("cryptopipe_batch_trades_bucket", {"le": "10000"}) == 3
        assert value("cryptopipe_batch_trades_bucket", {"le": "+Inf"}) == 4
        assert value("cryptopipe_batch_trades_sum") == 20_202


async def test_a_port_that_is_taken_is_one_sentence(data_dir: Path) -> None:
    settings = load({"data_dir": str(data_dir)}, environment={}, file=data_dir / "none")
    async with engine_for(settings) as engine:
        metrics = Metrics(engine)
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            for name, advice in [
                ("metrics_port", f"at port {port} (it is in use): set metrics_port to another, or to 0 for none."),
                ("serve_port", f"at 127.0.0.1, port {port} (it is in use): set serve_port to another"),
            ]:
                with using(MemoryKeyring()):
                    async with serving_engine(replace(settings, **{name: port}), engine, metrics) as served:
                        assert (served.url, served.metrics_url) == ("", "")
                        assert advice in served.problem
        async with serving_engine(replace(settings, metrics_port=70_000), engine, metrics) as served:
            assert "ports end at 65535" in served.problem
        async with serving_engine(settings, engine, metrics) as served:
            assert (served.url, served.metrics_url, served.problem) == ("", "", "")


async def test_a_heartbeat_that_comes_late_is_counted_as_late() -> None:
    clock, late = HandClock(), Distribution((0.1, 1.0))

    class EnoughError(Exception):
        pass

    def dawdle(seconds: float) -> None:
        clock.time_us += 500_000
        if late.count == 3:
            raise EnoughError

    clock.on_sleep = dawdle
    with pytest.raises(EnoughError):
        await watch_loop(clock, late)
    assert late.counts == [0, 3, 0]
    assert late.total == pytest.approx(1.5)
