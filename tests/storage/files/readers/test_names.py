"""What the name of a file says of its rows, and what it does not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.market.ports.row_files import RowKind
from storage.files.readers.names import name_facts


@pytest.mark.parametrize(
    ("path", "symbol", "kind", "interval"),
    [
        ("BTCUSDT-trades-2024-08-08.zip", "BTCUSDT", RowKind.TRADES, None),
        ("btcusdt-aggTrades-2024-08.csv", "BTCUSDT", RowKind.AGGTRADES, None),
        ("BTCUSDT-1m-2024-08-08.csv.gz", "BTCUSDT", RowKind.KLINES, "1m"),
        ("BTCUSDT-1mo-2024-08.zip", "BTCUSDT", RowKind.KLINES, "1M"),
        ("币安人生USDT-trades-2025-11-01.zip", "币安人生USDT", RowKind.TRADES, None),
        ("data/spot/daily/klines/ETHUSDT/4h/part.csv", "ETHUSDT", RowKind.KLINES, "4h"),
        ("data/spot/daily/trades/ETHUSDT/part.csv", "ETHUSDT", RowKind.TRADES, None),
        ("ETH_USDT-1m.feather", "ETHUSDT", None, "1m"),
        ("ETH_USDT-1Mo.feather", "ETHUSDT", None, "1M"),
        ("mintanam_BTC_USDT-1m.feather", "BTCUSDT", None, "1m"),
        ("nautilus_btcusdt-trades.parquet", "BTCUSDT", RowKind.TRADES, None),
        ("derived_expected_1m_btcusdt_20240808_2354-0005.csv", "BTCUSDT", None, "1m"),
        ("BTCUSDT-15m-and-ETHUSDT-1h.csv", None, None, None),
        ("prices.csv", None, None, None),
        ("2024-08-08.csv", None, None, None),
        ("default.csv", None, None, None),
    ],
)
def test_a_name_says_what_it_holds(path: str, symbol: str | None, kind: RowKind | None, interval: str | None) -> None:
    facts = name_facts(Path("/somewhere") / path)
    found = None if facts.interval is None else str(facts.interval)
    assert (facts.symbol, facts.kind, found) == (symbol, kind, interval)


def test_a_day_and_a_month_of_the_archive_have_their_ends() -> None:
    day = name_facts(Path("BTCUSDT-trades-2024-02-29.zip"))
    assert (day.begin_us, day.end_us, day.exact) == (1_709_164_800_000_000, 1_709_251_200_000_000, True)
    month = name_facts(Path("BTCUSDT-1m-2024-02.zip"))
    assert (month.begin_us, month.end_us) == (1_706_745_600_000_000, 1_709_251_200_000_000)
    assert name_facts(Path("BTCUSDT-trades-2024-02-31.zip")).begin_us is None


def test_what_our_own_export_wrote_beside_a_file_counts_before_its_name(tmp_path: Path) -> None:
    path = tmp_path / "ETHUSDT-1h.csv"
    (tmp_path / "ETHUSDT-1h.csv.meta.json").write_text(
        json.dumps({"symbol": "BTCUSDT", "interval": "5m", "zone": "Asia/Tokyo"})
    )
    facts = name_facts(path)
    assert (facts.symbol, str(facts.interval), facts.zone) == ("BTCUSDT", "5m", "Asia/Tokyo")
